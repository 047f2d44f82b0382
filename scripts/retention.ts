// Keeps docs/retention.md true: it is made from the table in core/domain/Retention.ts, which is what sweeps read. Without
// `--write` it only compares.

import { Duration } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { type RetentionKind, retention, retentionKinds } from "@lockkeeper/core/domain/Retention"

const document = "docs/retention.md"

const head = `# How long what is kept is kept

Made from \`packages/core/src/domain/Retention.ts\` by \`npm run retention -- --write\`. What is older than its class says, and not held, is swept by every server, a thousand rows at a time, once a minute. What is held stays whatever its age; where that is what a job resumes from, what serves, or what a leftover is found by, the database itself refuses to delete it (migration 11).

\`LOCKKEEPER_RETENTION=logs=14,jobs=365\` sets ages in days, from 1 to 9999, of the classes that can be set. \`lockkeeper_retained_rows\` and \`lockkeeper_retained_bytes\` gauge each class: the rows as the database's statistics estimate them, the bytes as they are on disk, with indexes. \`lockkeeper_swept_total\` counts what went. Space that is free is used again; it goes back to the host with \`vacuum full\` only.

| class | what it is | how long | counted from when | held beyond that |
| --- | --- | --- | --- | --- |
`

const ageOf = (kind: RetentionKind): string => {
  const { age, isSettable } = retention[kind]
  if (age === null) return "not swept"
  const days = Duration.toDays(age)
  return `${days === 1 ? "a day" : `${days} days`}${isSettable ? "" : ", fixed"}`
}

const rowOf = (kind: RetentionKind): string => {
  const { holds, since, what } = retention[kind]
  return `| \`${kind}\` | ${what} | ${ageOf(kind)} | ${since} | ${holds} |\n`
}

/** The document. */
export const made = (): string => head + retentionKinds.map(rowOf).join("")

const main = (): void => {
  const isMade = readFileSync(document, { encoding: "utf8", flag: "a+" }) === made()
  if (process.argv.includes("--write")) writeFileSync(document, made())
  else if (!isMade) console.log(`${document} is not up to date: run npm run retention -- --write`)
  process.exitCode = isMade || process.argv.includes("--write") ? 0 : 1
}

if (import.meta.main) main()
