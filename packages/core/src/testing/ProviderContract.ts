// What every Provider keeps: a Run is alone in its block, its Credentials reach the nodes that they are for and nobody else,
// and nothing of it is left when it was removed, whatever happened before.
import { Duration, Effect, Fiber, type Scope } from "effect"
import { ownDigest } from "../domain/imageVersion.ts"
import { ImageReference } from "../domain/Source.ts"
import { overlaps } from "../domain/Subnet.ts"
import { Target } from "../domain/Run.ts"
import { Failpoints } from "../port/failpoint.ts"
import { Providers } from "../port/Providers.ts"
import { SubnetOwner } from "../port/SubnetPool.ts"
import { type Contract, equal, eventually, holds, law, present, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"
import { freshRun, names, nodeOf, type ProviderFixture, quiet, runningOf } from "./ProviderFixture.ts"
import { makeProviderStepContract } from "./ProviderStepContract.ts"

/** The laws of the usual Provider of {@link Providers}. */
export const makeProviderContract = <R = never>(fixture: ProviderFixture<R>): Contract<Providers | R> => {
  const { command, removal } = fixture
  const running = runningOf(fixture)

  const scoped = <A, E, R2>(check: Effect.Effect<A, E, R2 | Scope.Scope>) => Effect.scoped(check)

  return [
    ...makeProviderStepContract(fixture),

    law(
      "H1",
      "the usual target is one of those that there are, and no Provider is answered for another one",
      Effect.gen(function* () {
        const providers = yield* Providers
        yield* holds("the usual target", providers.targets.includes(providers.usual))
        const { known } = yield* refused("TargetNotKnown", providers.of(Target.make("nowhere")))
        yield* equal("what is known", known, providers.targets)
      })
    ),

    law(
      "H26",
      "a Provider is the same one for all who ask, and is among those that were made",
      Effect.gen(function* () {
        const providers = yield* Providers
        const asked = yield* Effect.all([providers.of(providers.usual), providers.of(providers.usual)], {
          concurrency: "unbounded"
        })
        yield* equal("how many there are", new Set(asked).size, 1)
        const made = yield* providers.made
        yield* holds("the one that was made", made.get(providers.usual) === asked[0])
      })
    ),

    law(
      "H12",
      "a Run that asks again for its block is given the same one",
      scoped(
        Effect.gen(function* () {
          const { lease, owner, provider } = yield* freshRun
          const again = yield* provider.reserve(SubnetOwner.make(owner.run))
          yield* equal("its block", again?.subnet, lease?.subnet)
          if (again === null) return
          yield* equal("its fence", again.fence, lease?.fence)
          yield* provider.extend(again)
        })
      )
    ),

    law(
      "INV-15",
      "two Runs share no address",
      scoped(
        Effect.gen(function* () {
          const [one, other] = [yield* freshRun, yield* freshRun]
          if (one.subnet === null || other.subnet === null) return
          yield* holds("disjoint blocks", !overlaps(one.subnet, other.subnet), [one.subnet, other.subnet])
        })
      )
    ),

    law(
      "INV-15",
      "a Run is not prepared in the block of another, nor in one that it has given back",
      scoped(
        Effect.gen(function* () {
          const [one, other] = [yield* freshRun, yield* freshRun]
          if (one.lease === null || other.lease === null) return
          yield* one.provider.prepare(one.owner, one.subnet)
          yield* refused("ProviderError", other.provider.prepare(other.owner, one.subnet))
          yield* other.provider.giveBack(other.lease, false)
          yield* refused("ProviderError", other.provider.prepare(other.owner, other.subnet))
          yield* holds("nothing of it", !(yield* other.provider.owned).includes(other.owner.run))
        })
      )
    ),

    law(
      "H12",
      "what was prepared for this very Run is used again, and its nodes go on",
      scoped(
        Effect.gen(function* () {
          const { inspect, owner, provider, subnet } = yield* running()
          yield* provider.prepare(owner, subnet)
          yield* equal("the node", (yield* inspect).state, "running")
        })
      )
    ),

    law(
      "B19",
      "what was prepared for a Run of the same id and another Tenant is a conflict",
      scoped(
        Effect.gen(function* () {
          const { owner, provider, subnet } = yield* running()
          const tenant = yield* Given.freshTenant
          const { reason } = yield* refused("ProviderError", provider.prepare({ ...owner, tenant }, subnet))
          yield* equal("the reason", reason, "name_conflict")
        })
      )
    ),

    law(
      "H14",
      "what never was can be removed, and nothing is to be seen of it",
      scoped(
        Effect.gen(function* () {
          const { owner, provider } = yield* freshRun
          yield* provider.remove(owner.run)
          yield* provider.remove(owner.run)
          yield* equal("the node", (yield* provider.inspect(owner.run, names.web)).state, "gone")
          yield* holds("nothing of it", !(yield* provider.owned).includes(owner.run))
        })
      )
    ),

    law(
      "X11",
      "a Run of which there is something is ours, and when it was removed nothing is, as often as that is asked",
      scoped(
        Effect.gen(function* () {
          const { inspect, owner, provider } = yield* running()
          yield* equal("the node", (yield* inspect).state, "running")
          yield* holds("that it is ours", (yield* provider.owned).includes(owner.run))
          yield* provider.remove(owner.run)
          yield* equal("the node afterwards", (yield* inspect).state, "gone")
          yield* holds("that nothing is ours", !(yield* provider.owned).includes(owner.run))
          yield* provider.remove(owner.run)
        })
      )
    ),

    law(
      "X11",
      "the removal of a Run leaves another one as it is",
      scoped(
        Effect.gen(function* () {
          const [one, other] = [yield* running(), yield* freshRun]
          yield* other.provider.prepare(other.owner, other.subnet)
          yield* other.provider.remove(other.owner.run)
          yield* equal("the node of the other", (yield* one.inspect).state, "running")
        })
      )
    ),

    law(
      "H15",
      "a node is at the address of its Plan and its first port, and without an address on this host alone",
      scoped(
        Effect.gen(function* () {
          const { place, spec } = yield* running()
          const { host, port } = yield* present("an address", place.address)
          yield* equal("where it is", `${host}:${port}`, `${spec.node.address ?? "127.0.0.1"}:${spec.node.ports[0]}`)
          yield* equal("the node", place.node, names.web)
        })
      )
    ),

    law(
      "B19",
      "of several that start the same node one does, the others are refused as a conflict, and it goes on",
      scoped(
        Effect.gen(function* () {
          const run = yield* freshRun
          yield* run.provider.prepare(run.owner, run.subnet)
          const spec = yield* nodeOf(fixture, run, names.web, command.goesOn)
          const results = yield* together([1, 2, 3].map(() => run.provider.start(spec, quiet)))
          const refusals = results.flatMap((result) => (result._tag === "Failure" ? [result.failure.reason] : []))
          yield* equal("the refusals", refusals, ["name_conflict", "name_conflict"])
          yield* equal("the node", (yield* run.provider.inspect(run.owner.run, names.web)).state, "running")
        })
      )
    ),

    law(
      "B13",
      "a node that has ended is seen as that",
      scoped(
        Effect.gen(function* () {
          const run = yield* freshRun
          yield* run.provider.prepare(run.owner, run.subnet)
          yield* run.provider.start(yield* nodeOf(fixture, run, names.web, command.exits(3)), quiet)
          const seen = run.provider.inspect(run.owner.run, names.web)
          const state = yield* eventually("its end", seen, ({ state }) => state !== "running")
          yield* equal("the node", state.state, "exited")
        })
      )
    ),

    law(
      "H36",
      "an image that is nowhere is not found, and one that is there leads to the same digest again",
      scoped(
        Effect.gen(function* () {
          const { owner, provider, subnet } = yield* freshRun
          const nowhere = ImageReference.make(`127.0.0.1:1/nowhere/${yield* Given.freshLetters}:1`)
          yield* refused("ProviderError", provider.resolve(nowhere))
          yield* provider.prepare(owner, subnet)
          const { digest, reference } = yield* fixture.image(provider, owner)
          if (reference === null) return
          yield* equal("the digest", yield* provider.resolve(reference), ownDigest(reference) ?? digest)
        })
      )
    ),

    law(
      "H37",
      "of a start that is interrupted nothing is left after the removal",
      scoped(
        Effect.gen(function* () {
          const run = yield* freshRun
          yield* run.provider.prepare(run.owner, run.subnet)
          const spec = yield* nodeOf(fixture, run, names.web, command.goesOn)
          for (const wait of [0, 5, 50]) {
            const start = yield* Effect.forkChild(run.provider.start(spec, quiet))
            yield* Effect.sleep(Duration.millis(wait))
            yield* Fiber.interrupt(start)
            yield* run.provider.remove(run.owner.run)
            yield* run.provider.prepare(run.owner, run.subnet)
            // What was let go of may still come.
            yield* Effect.sleep(Duration.millis(100))
            yield* equal("the node", (yield* run.provider.inspect(run.owner.run, names.web)).state, "gone")
          }
        })
      )
    ),

    law(
      "H42",
      "of a removal in which one part fails the rest is done, it says which one is left, and it can be repeated",
      scoped(
        Effect.gen(function* () {
          const run = yield* running()
          const { owner, provider } = run
          yield* provider.start(yield* nodeOf(fixture, run, names.worker, command.goesOn), quiet)
          let isFirst = true
          const removed = Effect.provideService(provider.remove(owner.run), Failpoints, (point, effect, refuse) =>
            Effect.suspend(() => {
              const fails = isFirst && point === removal && refuse !== undefined
              if (fails) isFirst = false
              return fails ? refuse : effect
            })
          )
          const { left } = yield* refused("RemovalError", removed)
          const states = yield* Effect.forEach([names.web, names.worker], (name) => provider.inspect(owner.run, name))
          const still = [names.web, names.worker].filter((_, index) => states[index]?.state !== "gone")
          yield* equal("how many are left", still.length, 1)
          yield* holds(
            "its name",
            left.some(({ what }) => what.includes(still[0] ?? "?")),
            left
          )
          yield* holds("that it is ours", (yield* provider.owned).includes(owner.run))
          yield* provider.remove(owner.run)
          yield* holds("nothing of it", !(yield* provider.owned).includes(owner.run))
        })
      )
    )
  ]
}
