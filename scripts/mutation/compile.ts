// Tells whether a file still compiles with another text, without writing it: the types of the repository are read once.

import { resolve } from "node:path"
import ts from "typescript"

/**
 * Says what is wrong with a file of the project when it has this text: in itself, and in what is published and imports it.
 * Tests are not looked at: they run as they are.
 */
export type Compile = (file: string, text: string) => ReadonlyArray<string>

/** Makes the check for the project at `root`. A name that a mutation leaves unused is no error. */
export const compiler = (root: string): Compile => {
  const config = ts.getParsedCommandLineOfConfigFile(
    resolve(root, "tsconfig.json"),
    { noUnusedLocals: false, noUnusedParameters: false },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined }
  )
  if (config === undefined) throw new Error(`${root} has no tsconfig.json that can be read`)
  const { fileNames, options } = config
  const changed = new Map<string, string>()
  let version = 0
  const service = ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => fileNames,
    getScriptVersion: (name) => (changed.has(name) ? String(version) : ""),
    getScriptSnapshot: (name) => {
      const text = changed.get(name) ?? ts.sys.readFile(name)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    ...(ts.sys.realpath === undefined ? {} : { realpath: ts.sys.realpath })
  })
  const importers = importersIn(fileNames, options)

  return (file, text) => {
    const path = resolve(root, file)
    version += 1
    changed.set(path, text)
    const problems = [path, ...(importers.get(path) ?? [])].flatMap((name) => [
      ...service.getSyntacticDiagnostics(name),
      ...service.getSemanticDiagnostics(name)
    ])
    changed.delete(path)
    return problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))
  }
}

/** The files that import each file. */
const importersIn = (
  fileNames: ReadonlyArray<string>,
  options: ts.CompilerOptions
): ReadonlyMap<string, ReadonlyArray<string>> => {
  const cache = ts.createModuleResolutionCache(".", (name) => name, options)
  const pairs = fileNames.filter(isPublished).flatMap((name) =>
    ts.preProcessFile(ts.sys.readFile(name) ?? "").importedFiles.flatMap(({ fileName: specifier }) => {
      const mode = ts.ModuleKind.ESNext
      const found = ts.resolveModuleName(specifier, name, options, ts.sys, cache, undefined, mode)
      const target = found.resolvedModule?.resolvedFileName
      return target === undefined || target.includes("/node_modules/") ? [] : [{ name, target }]
    })
  )
  return new Map(
    [...Map.groupBy(pairs, ({ target }) => target)].map(([target, own]) => [target, own.map(({ name }) => name)])
  )
}

const isPublished = (name: string): boolean => /\/packages\/[^/]+\/src\//.test(name)
