// The exported names of the domain and the ports are made of the words of CONTEXT.md.

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const wordsOf = (name: string): ReadonlyArray<string> => name.match(/[A-Z]+(?![a-z])|[A-Z][a-z\d]*/g) ?? []

const vocabularyOf = (context: string): ReadonlySet<string> => {
  const [glossary = "", general = ""] = context.split("## General words")
  const rows = glossary.match(/^\| [A-Z][^|]*/gm) ?? []
  const terms = rows.flatMap((row) => row.slice(2).split(",")).map((term) => term.trim())
  return new Set([...terms, ...[...general.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? "")])
}

const isKnown = (word: string, vocabulary: ReadonlySet<string>): boolean =>
  vocabulary.has(word) || (word.endsWith("s") && vocabulary.has(word.slice(0, -1)))

const unknownWords = (names: ReadonlyArray<string>, vocabulary: ReadonlySet<string>): ReadonlyArray<string> =>
  names.flatMap((name) =>
    wordsOf(name)
      .filter((word) => !isKnown(word, vocabulary))
      .map((word) => `${word} in ${name}`)
  )

const exportedNames = (text: string): ReadonlyArray<string> => {
  const declared = /^export (?:declare |abstract )*(?:class|interface|type|const|function) ([A-Z]\w*)/gm
  return [...new Set([...text.matchAll(declared)].map((match) => match[1] ?? ""))]
}

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.includes("internal"))
    .map((file) => join(folder, file))

const vocabulary = vocabularyOf(readFileSync("CONTEXT.md", "utf8"))

describe("the glossary", () => {
  it.each(["packages/core/src/domain", "packages/core/src/port"])("knows every word of the names in %s", (folder) => {
    const names = filesBelow(folder).flatMap((file) => exportedNames(readFileSync(file, "utf8")))
    expect(names).not.toEqual([])
    expect(unknownWords(names, vocabulary)).toEqual([])
  })

  it("reports a word that is not in it", () => {
    expect(unknownWords(["EnvManager", "AppIds", "URLStore"], vocabulary)).toEqual([
      "Manager in EnvManager",
      "URL in URLStore"
    ])
  })

  it("finds the names that a file exports", () => {
    expect(exportedNames("export class A {}\nexport const b = 1\nexport type C = 1\ninterface D {}\n")).toEqual([
      "A",
      "C"
    ])
  })
})
