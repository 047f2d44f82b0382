// What every check works on, and what it reports.

import ts from "typescript"

/** A file of the repository. */
export interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

/** One breach of a rule. */
export interface Violation {
  readonly path: string
  readonly line: number
  readonly message: string
}

/** A rule over one file. */
export type Check = (source: Source) => ReadonlyArray<Violation>

/** Whether a file is TypeScript. */
export const isTypeScript = ({ path }: Source): boolean => path.endsWith(".ts")

/** Whether a file is published as a part of a package. */
export const isLibrary = ({ path }: Source): boolean => /^packages\/[^/]+\/src\/.*\.ts$/.test(path)

/** Whether a file holds tests. */
export const isTest = ({ path }: Source): boolean => path.endsWith(".test.ts")

/** Parses a file, with the parents of nodes set. */
export const parse = ({ path, text }: Source): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)

/** The number of the line at an offset, from 1. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

/** Calls `visit` with every node below `root`, in order. */
export const walk = (root: ts.Node, visit: (node: ts.Node) => void): void => {
  ts.forEachChild(root, (node) => {
    visit(node)
    walk(node, visit)
  })
}
