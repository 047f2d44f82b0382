// The runtime on the real engine keeps every law of its contract.

import { assert, layer } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { ContainerRuntime } from "@lockkeeper/core/port/ContainerRuntime"
import { makeContainerRuntimeContract } from "@lockkeeper/core/testing/ContainerRuntimeContract"
import { Context, Effect, Layer } from "effect"
import { describeWith } from "../../../test/harness/capability.ts"
import * as DockerContainerRuntime from "../src/DockerContainerRuntime.ts"
import { counts, freshInstallation, nothing, removeAll, serving, shell, treeOf } from "./support/engine.ts"

class Tree extends Context.Service<Tree, { readonly directory: string; readonly commit: null }>()("test/Tree") {
  static readonly layer = Layer.effect(Tree, treeOf(shell(serving)))
}

const installation = freshInstallation()
const options = { installation, replica: ReplicaId.make("one"), grace: "1 second" } as const
const runtimes = Layer.mergeAll(
  DockerContainerRuntime.layer(options),
  Tree.layer,
  Layer.effectDiscard(Effect.addFinalizer(() => removeAll(installation)))
)
const laws = makeContainerRuntimeContract({ directory: "", commit: null }).map(({ id, law }, index) => ({
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
          const contract = makeContainerRuntimeContract(yield* Tree)
          yield* contract[index]?.run ?? Effect.die("no such law")
          assert.deepStrictEqual(yield* counts(installation), nothing)
        }),
      60_000
    )
  })
  void ContainerRuntime
})
