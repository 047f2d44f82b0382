// Follows what a client and PostgreSQL say to each other, as far as it takes to see when something is committed. Not a
// parser of values: what is not needed is passed over.

/** Takes the bytes of one direction, in parts of any size, and calls back with each whole message. */
const splitter = (hasStartup: boolean, onMessage: (type: string, body: Buffer) => void) => {
  let rest = Buffer.alloc(0)
  let isStarted = !hasStartup
  return (part: Buffer): void => {
    rest = Buffer.concat([rest, part])
    while (true) {
      const start = isStarted ? 1 : 0
      const end = rest.length < start + 4 ? Number.POSITIVE_INFINITY : start + rest.readInt32BE(start)
      if (rest.length < end) return
      const body = rest.subarray(start + 4, end)
      const type = isStarted ? rest.toString("latin1", 0, 1) : "startup"
      isStarted ||= body.readInt32BE(0) !== sslRequest
      rest = rest.subarray(end)
      onMessage(type, body)
    }
  }
}

/** What asks for encryption begins like a connection and is followed by one. */
const sslRequest = 80_877_103

const texts = (body: Buffer): ReadonlyArray<string> => body.toString("utf8").split("\0")

/** What one connection does, from the bytes that go by. */
export interface PostgresWire {
  /** Bytes of the client; says whether something is about to be committed by them. */
  readonly asked: (part: Buffer) => boolean
  /** Bytes of the server; says whether it has answered everything with them. */
  readonly answered: (part: Buffer) => boolean
}

/** Begins to follow a connection; `onExecute` hears of each statement that is about to run. */
export const postgresWire = (onExecute: (statement: string) => void = () => undefined): PostgresWire => {
  const statements = new Map<string, string>()
  const portals = new Map<string, string>()
  let isInTransaction = false
  let commits = false
  let isReady = false

  const execute = (statement: string): void => {
    onExecute(statement)
    const text = statement.trim().toLowerCase()
    const ends = /^(?:commit|end|rollback|abort)\b/.test(text) && !/^rollback to\b/.test(text)
    commits ||= /^(?:commit|end)\b/.test(text) || (!isInTransaction && /\b(?:insert|update|delete)\b/.test(text))
    isInTransaction = /^(?:begin|start transaction)\b/.test(text) || (isInTransaction && !ends)
  }

  const fromClient = splitter(true, (type, body) => {
    const [first = "", second = ""] = texts(body)
    if (type === "Q") execute(first)
    if (type === "P") statements.set(first, second)
    if (type === "B") portals.set(first, statements.get(second) ?? "")
    if (type === "E") execute(portals.get(first) ?? "")
  })
  const fromServer = splitter(false, (type) => void (isReady ||= type === "Z"))

  return {
    asked: (part) => {
      commits = false
      fromClient(part)
      return commits
    },
    answered: (part) => {
      isReady = false
      fromServer(part)
      return isReady
    }
  }
}
