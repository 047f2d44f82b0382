// Applies the edit of a mutation to the text of its file.

import type { Mutation } from "./Guard.ts"

/** What an edit came to, or why it cannot be made. */
export type Edited =
  | { readonly ok: true; readonly text: string; readonly start: number; readonly end: number }
  | { readonly ok: false; readonly problem: string }

/** Replaces the one place that a mutation names. `start` and `end` are the offsets of what changes in the old text. */
export const edit = (text: string, { find, replace }: Pick<Mutation, "find" | "replace">): Edited => {
  const start = text.indexOf(find)
  if (find === "" || start === -1) return { ok: false, problem: `its text is not there: ${find}` }
  if (text.includes(find, start + 1)) return { ok: false, problem: `its text stands there more than once: ${find}` }
  if (find === replace) return { ok: false, problem: `it changes nothing: ${find}` }
  const prefix = shared(find, replace)
  const suffix = shared(reversed(find.slice(prefix)), reversed(replace.slice(prefix)))
  return {
    ok: true,
    text: text.slice(0, start) + replace + text.slice(start + find.length),
    start: start + prefix,
    end: start + find.length - suffix
  }
}

const reversed = (text: string): string => [...text].reverse().join("")

const shared = (one: string, other: string): number => {
  let length = 0
  while (length < one.length && one[length] === other[length]) length += 1
  return length
}
