// The runtime on the real engine keeps every law of its contract.

import { assert, layer } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { SourceTree } from "@lockkeeper/core/port/SourceFetcher"
import { makeContainerRuntimeContract } from "@lockkeeper/core/testing/ContainerRuntimeContract"
import { Context, Effect, Layer } from "effect"
import { describeWith } from "../../../test/harness/capability.ts"
import * as DockerContainerRuntime from "../src/DockerContainerRuntime.ts"
import { counts, freshInstallation, nothing, removeAll, serving, shell, subnetPools, treeOf } from "./support/engine.ts"

const files = shell(serving, "COPY . /files\n")

class Trees extends Context.Service<Trees, { readonly tree: SourceTree; readonly deeper: SourceTree }>()("test/Trees") {
  static readonly layer = Layer.effect(
    Trees,
    Effect.all({ tree: treeOf(files), deeper: treeOf({ ...files, "below/more/file.txt": "one" }) })
  )
}

const installation = freshInstallation()
const options = { installation, replica: ReplicaId.make("one"), grace: "1 second" } as const
const runtimes = Layer.mergeAll(
  Layer.provide(DockerContainerRuntime.layer(options), subnetPools),
  Trees.layer,
  Layer.effectDiscard(Effect.addFinalizer(() => removeAll(installation)))
)
const nowhere: SourceTree = { directory: "", commit: null }
const laws = makeContainerRuntimeContract(nowhere, nowhere).map(({ id, law }, index) => ({
  id,
  law,
  index
}))

describeWith("docker")("Docker", () => {
  layer(runtimes, { excludeTestServices: true })((it) => {
    it.effect.each(laws)(
      "H42 $id $law",
      ({ index }) =>
        Effect.gen(function* () {
          const { deeper, tree } = yield* Trees
          const contract = makeContainerRuntimeContract(tree, deeper)
          yield* contract[index]?.run ?? Effect.die("no such law")
          assert.deepStrictEqual(yield* counts(installation), nothing)
        }),
      60_000
    )
  })
})
