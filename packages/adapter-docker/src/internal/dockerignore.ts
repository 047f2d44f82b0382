// What a .dockerignore leaves out. Patterns come from tenants, and regular expressions made of them can take for ever or not be
// any: here every match takes at most the length of the pattern times that of the path.

interface Rule {
  readonly segments: ReadonlyArray<string>
  readonly keeps: boolean
}

const ruleOf = (line: string): ReadonlyArray<Rule> => {
  const text = line.trim()
  if (text === "" || text.startsWith("#")) return []
  const keeps = text.startsWith("!")
  const segments = (keeps ? text.slice(1).trim() : text).split("/").filter((part) => part !== "" && part !== ".")
  return segments.length === 0 || segments.includes("..") ? [] : [{ segments, keeps }]
}

/** Reads patterns and answers which paths they leave out: the last one that matches a path or a folder above it decides. */
export const ignoredBy = (patterns: string): ((path: string) => boolean) => {
  const rules = patterns
    .replace(/^\uFEFF/, "")
    .split("\n")
    .flatMap(ruleOf)
  return (path) => {
    const parts = path.split("/")
    return rules.reduce(
      (ignored, { keeps, segments }) => (keeps !== ignored || !covers(segments, parts) ? ignored : !keeps),
      false
    )
  }
}

/** Whether a pattern matches a path or a folder above it. Row by row: which beginnings of the path are matched so far. */
const covers = (segments: ReadonlyArray<string>, parts: ReadonlyArray<string>): boolean => {
  let reached: ReadonlyArray<boolean> = [true, ...parts.map(() => false)]
  for (const segment of segments) {
    const next: Array<boolean> = []
    for (let length = 0; length <= parts.length; length++) {
      next.push(
        segment === "**"
          ? reached[length] === true || next[length - 1] === true
          : length > 0 && reached[length - 1] === true && matches(segment, parts[length - 1] ?? "")
      )
    }
    reached = next
  }
  return reached.slice(1).some(Boolean)
}

interface Token {
  readonly many: boolean
  readonly accepts: (character: string) => boolean
}

/** Whether a name matches `*`, `?`, `[a-z]` and `\\x`. The last star is the only one that is ever gone back to. */
const matches = (pattern: string, name: string): boolean => {
  const tokens = tokensOf(pattern)
  const characters = [...name]
  let [at, token, star, behind] = [0, 0, -1, 0]
  while (at < characters.length) {
    const current = tokens[token]
    if (current?.many === true) {
      ;[star, behind] = [token++, at]
    } else if (current?.accepts(characters[at] ?? "") === true) {
      at++
      token++
    } else if (star >= 0) {
      token = star + 1
      at = ++behind
    } else return false
  }
  return tokens.slice(token).every(({ many }) => many)
}

const tokensOf = (pattern: string): ReadonlyArray<Token> => {
  const characters = [...pattern]
  const tokens: Array<Token> = []
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? ""
    const end = character === "[" ? characters.indexOf("]", at + 2) : -1
    if (character === "*") tokens.push({ many: true, accepts: () => true })
    else if (character === "?") tokens.push({ many: false, accepts: () => true })
    else if (end > 0) {
      tokens.push({ many: false, accepts: classOf(characters.slice(at + 1, end)) })
      at = end
    } else {
      const literal = character === "\\" ? (characters[++at] ?? character) : character
      tokens.push({ many: false, accepts: (other) => other === literal })
    }
  }
  return tokens
}

const classOf = (members: ReadonlyArray<string>): Token["accepts"] => {
  const negated = members[0] === "^"
  const ranges: Array<readonly [string, string]> = []
  for (let at = negated ? 1 : 0; at < members.length; at++) {
    const [first = "", dash, last] = members.slice(at, at + 3)
    const isRange = dash === "-" && last !== undefined
    ranges.push([first, isRange ? last : first])
    if (isRange) at += 2
  }
  return (character) => ranges.some(([first, last]) => first <= character && character <= last) !== negated
}
