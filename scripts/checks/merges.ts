// What a merge leaves where it could not decide, also after a formatter took its marks for quotations.

import { type Check, lineAt } from "./Source.ts"

const mark = /^(<{7}|>{7}|(?:> ){6}>)(?: |$)/gm

/** Reports the marks of an undecided merge. */
export const checkMerges: Check = ({ path, text }) =>
  [...text.matchAll(mark)].map(({ index }) => ({
    path,
    line: lineAt(text, index),
    message: "a merge was not decided here"
  }))
