// What the options of a bench may be: numbers above zero, and parts that there are. Whatever is wrong is said with the usage.

/** Reads a number above 0, which may have to be whole. */
export const positive =
  (usage: string, isFit: (number: number) => boolean = Number.isFinite) =>
  (name: string, text: string): number => {
    const number = Number(text)
    if (isFit(number) && number > 0) return number
    throw new Error(`--${name} takes a ${isFit === Number.isInteger ? "whole " : ""}number above 0\n${usage}`)
  }

/** Reads names of parts, separated by commas; answers them in the order in which they are measured. */
export const chosen = <Part extends string>(
  parts: ReadonlyArray<Part>,
  text: string,
  usage: string
): ReadonlyArray<Part> => {
  const asked = text.split(",")
  const unknown = asked.find((name) => !parts.some((part) => part === name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such part\n${usage}`)
  return parts.filter((part) => asked.includes(part))
}
