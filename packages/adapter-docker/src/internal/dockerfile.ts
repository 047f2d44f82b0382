// Marks a Dockerfile so that whatever is made from it on the way carries our label: the engine puts labels that are asked for
// behind the last step, and an interrupted build would leave images that nobody can tell from others.

import { DockerfileParser } from "dockerfile-ast"

/** Puts a label behind every FROM. Undefined when there is none: that is no Dockerfile. */
export const labelled = (text: string, [key, value]: readonly [string, string]): string | undefined => {
  const ends = DockerfileParser.parse(text)
    .getFROMs()
    .map((from) => from.getRange().end.line)
  if (ends.length === 0) return undefined
  const lines = text.split("\n")
  for (const end of ends.toReversed()) lines.splice(end + 1, 0, `LABEL ${key}=${JSON.stringify(value)}`)
  return lines.join("\n")
}
