// A process that fetches from a server that says nothing, to be killed by tests. Arguments: the fetcher's directory, a
// Git URL, and a deploy key. Prints `fetching` first.

import { GitUrl } from "@lockkeeper/core/domain/Source"
import { Console, Effect, Redacted } from "effect"
import * as ProcessSourceFetcher from "../../src/ProcessSourceFetcher.ts"

const [, , directory = "", url = "", key = ""] = process.argv

const program = Effect.gen(function* () {
  const { fetch } = yield* ProcessSourceFetcher.make({ directory })
  yield* Console.log("fetching")
  return yield* fetch({ type: "git", url: GitUrl.make(url), knownHosts: "x", deployKey: Redacted.make(key) })
})

await Effect.runPromise(Effect.scoped(program))
