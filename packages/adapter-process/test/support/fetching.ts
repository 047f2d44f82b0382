// A fetcher on a directory of its own, and what is to be seen of it.

import type { SourceFetcher, SourceImage, SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { type GitSource, GitUrl, type Source } from "@lockkeeper/core/domain/Source"
import { Effect } from "effect"
import * as Path from "node:path"
import { temporaryDirectory } from "../../../../test/harness/temporaryDirectory.ts"
import * as ProcessSourceFetcher from "../../src/ProcessSourceFetcher.ts"
import { filesBelow, processesWith } from "./processes.ts"

/** What was fetched, which is never an image here. */
const treeOf = (fetched: SourceTree | SourceImage): SourceTree => {
  if ("image" in fetched) throw new Error("a tree was expected, not an image")
  return fetched
}

/** Makes a fetcher below a new directory. */
export const fetcher = (options: Partial<ProcessSourceFetcher.ProcessSourceFetcherOptions> = {}) =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const service: SourceFetcher["Service"] = yield* ProcessSourceFetcher.make({ directory, ...options })
    const left = () => ["keys", "sources"].flatMap((name) => filesBelow(Path.join(directory, name)))
    return {
      directory,
      fetch: (source: Source) => Effect.map(service.fetch(source), treeOf),
      /** The reason for which a Source is not fetched. */
      refusal: (source: Source) => Effect.flip(Effect.scoped(service.fetch(source))),
      /** Everything that exists because of fetches: files, and processes. */
      left: () => [...left(), ...processesWith(directory)],
      keys: () => filesBelow(Path.join(directory, "keys"))
    }
  })

/** A Git Source without the checks of its schema, as if hostile text had come through. */
export const uncheckedGit = (source: Omit<GitSource, "type" | "url"> & { readonly url: string }): GitSource => ({
  ...source,
  type: "git",
  url: GitUrl.make(source.url, { disableChecks: true })
})
