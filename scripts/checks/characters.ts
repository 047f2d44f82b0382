// Characters that make a text look different from what it says: controls, bidirectional marks and invisible letters.

import { type Check, lineAt } from "./Source.ts"

const binary = /\.(png|jpe?g|gif|ico|webp|woff2?|gz|tgz|tar|zip|wasm|pdf)$/

/** Everything in Unicode's control, format and separator classes but tab and line feed. */
const hidden = /(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029]/gu

/** Reports hidden characters, by code point. */
export const checkCharacters: Check = ({ path, text }) => {
  if (binary.test(path)) return []
  return [...text.matchAll(hidden)].map(({ 0: character, index }) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")
    return { path, line: lineAt(text, index), message: `hidden character U+${code}` }
  })
}
