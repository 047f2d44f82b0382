// Compares the guards that the scan finds with what is listed: none may be missing, none may be listed that is not there, and
// every edit must touch the guards that it is said to take away.

import { lineAt, type Source, type Violation } from "../checks/Source.ts"
import { edit } from "./edit.ts"
import type { Guard, Listed } from "./Guard.ts"
import { scan } from "./scan.ts"

/** Reports what does not fit together. */
export const checkGuards = (sources: ReadonlyArray<Source>, listed: Listed): ReadonlyArray<Violation> => {
  const texts = new Map(sources.map(({ path, text }) => [path, text]))
  const violation = (path: string, offset: number, message: string): Violation => ({
    path,
    line: lineAt(texts.get(path) ?? "", offset),
    message
  })
  const found = new Map(sources.flatMap(scan).map((guard) => [keyOf(guard.file, guard.id), guard]))
  const mutated = keysOf(listed.mutations)
  const leftOut = keysOf(listed.leftOut)
  const unlisted = [...found.values()].filter(({ file, id }) => {
    const key = keyOf(file, id)
    return !mutated.has(key) && !leftOut.has(key)
  })
  const gone = [...listed.mutations, ...listed.leftOut].flatMap(({ file, guards }) =>
    guards.filter((id) => !found.has(keyOf(file, id))).map((id) => ({ file, id }))
  )
  return [
    ...unlisted.map(({ file, id, start }) => violation(file, start, `no mutation and no reason for the guard ${id}`)),
    ...gone.map(({ file, id }) => violation(file, 0, `a guard is listed that is not there: ${id}`)),
    ...[...found.entries()]
      .filter(([key]) => mutated.has(key) && leftOut.has(key))
      .map(([, { file, id, start }]) => violation(file, start, `mutated, and left out as well: ${id}`)),
    ...listed.mutations.flatMap((mutation) => {
      const edited = edit(texts.get(mutation.file) ?? "", mutation)
      if (!edited.ok) return [violation(mutation.file, 0, edited.problem)]
      const missing = mutation.tests.filter((file) => !texts.has(file))
      const untested = missing.map((file) => violation(mutation.file, 0, `"${mutation.says}" has no tests in ${file}`))
      const untouched = mutation.guards
        .flatMap((id) => found.get(keyOf(mutation.file, id)) ?? [])
        .filter((guard) => !touches(edited, guard))
        .map(({ file, id, start }) => violation(file, start, `"${mutation.says}" does not touch the guard ${id}`))
      return [...untested, ...untouched]
    })
  ]
}

const keyOf = (file: string, id: string): string => `${file}: ${id}`

const keysOf = (
  entries: ReadonlyArray<{ readonly file: string; readonly guards: ReadonlyArray<string> }>
): ReadonlySet<string> => new Set(entries.flatMap(({ file, guards }) => guards.map((id) => keyOf(file, id))))

const touches = (range: { readonly start: number; readonly end: number }, guard: Guard): boolean =>
  range.start <= guard.end && guard.start <= range.end
