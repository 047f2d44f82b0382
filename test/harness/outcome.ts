// What came of something, as a text that is the same for every run that came to the same: ids are replaced by the roles
// that they play in it, in the order in which they appear, and times are left out.

import { Cause, Exit } from "effect"
import { SqlError } from "effect/sql"

const ids = /\b(app|dep|rel)_[a-z0-9]{20,}|\b(replica|contract|t|a)-[a-z]{20}\b|\b(sha256):[0-9a-f]{64}/g
const times = /\d{4}-\d\d-\d\dT[\d:.]+Z/g

/** A value as such a text. */
export const outcomeText = (value: unknown): string => {
  const roles = new Map<string, string>()
  return JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? Number(part) : part))
    .replaceAll(times, "time")
    .replaceAll(ids, (id, ...kinds: ReadonlyArray<unknown>) => {
      const kind = kinds.find((kind) => typeof kind === "string")
      const role = roles.get(id) ?? `${kind}#${roles.size + 1}`
      roles.set(id, role)
      return role
    })
}

/** What an operation answered: its value, or the error that it failed with. */
export const answerOf = <A, E>(exit: Exit.Exit<A, E>): unknown => {
  if (Exit.isSuccess(exit)) return exit.value ?? null
  const [reason] = exit.cause.reasons
  return reason?._tag === "Fail" ? { failed: errorOf(reason.error) } : { died: Cause.pretty(exit.cause) }
}

/** An error as data: of a failed statement only its kind, since the server's words name processes and rows. */
const errorOf = (error: unknown): unknown => {
  if (SqlError.isSqlError(error)) return error.reason._tag
  if (typeof error !== "object" || error === null) return error
  const tag = "_tag" in error ? error._tag : String(error)
  return { _tag: tag, ...error, ...("cause" in error ? { cause: errorOf(error.cause) } : {}) }
}
