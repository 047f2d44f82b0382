// Providers that make the mistakes their contract exists for.

import { Effect, Fiber } from "effect"
import { Fence } from "../../src/domain/Lease.ts"
import { Address, ImageDigest, IpAddress } from "../../src/domain/Workload.ts"
import type { MemoryTables } from "../../src/port/MemoryState.ts"
import { type Provider, ProviderError, RemovalError } from "../../src/port/Provider.ts"
import { Providers } from "../../src/port/Providers.ts"
import { altered, type Broken } from "./Broken.ts"

type Alter = (original: Provider, state: MemoryTables) => Partial<Provider>

/** All Providers with methods altered; each one is altered once. */
const alteredProvider = (alter: Alter): Broken["layer"] =>
  altered(Providers, (original, state) => {
    const known = new Map<Provider, Provider>()
    const changed = (provider: Provider) => {
      const found = known.get(provider) ?? { ...provider, ...alter(provider, state) }
      known.set(provider, found)
      return found
    }
    return {
      of: (target) => Effect.map(original.of(target), changed),
      made: Effect.map(
        original.made,
        (made) => new Map([...made].map(([target, it]) => [target, changed(it)] as const))
      )
    }
  })

const broken = (what: string, violates: Broken["violates"], alter: Alter): Broken => ({
  what: `a Provider that ${what}`,
  contract: "Providers",
  violates,
  layer: alteredProvider(alter)
})

const failed = (reason: ProviderError["reason"]) => Effect.fail(new ProviderError({ reason, detail: reason }))

/** What a fiber comes to; who is interrupted meanwhile leaves it alone. */
const joined = <A, E>(fiber: Fiber.Fiber<A, E>) => Fiber.join(fiber)

const digest = (number: number) => ImageDigest.make(`sha256:${number.toString(16).padStart(64, "0")}`)

/** Broken Providers. */
export const brokenProviders: ReadonlyArray<Broken> = [
  {
    what: "Providers that take every target for the usual one",
    contract: "Providers",
    violates: ["H1"],
    layer: altered(Providers, (original) => ({ of: () => original.of(original.usual) }))
  },
  {
    what: "Providers that make another one for each who asks",
    contract: "Providers",
    violates: ["H26"],
    layer: altered(Providers, (original) => ({
      of: (target) => Effect.map(original.of(target), (provider) => ({ ...provider }))
    }))
  },
  broken(
    "says another fence to who asks again",
    ["H12 a Run that asks again", "INV-15 a Run is not prepared"],
    (original, state) => ({
      reserve: (owner) =>
        Effect.map(original.reserve(owner), (lease) => lease && { ...lease, fence: Fence.make(++state.sequence) })
    })
  ),
  broken("gives all Runs one block", ["INV-15 two Runs", "INV-15 a Run is not prepared"], (original) => {
    let first: Effect.Success<ReturnType<Provider["reserve"]>> | undefined
    return {
      reserve: (owner) =>
        Effect.map(
          original.reserve(owner),
          (lease) => lease && { ...lease, subnet: (first ??= lease)?.subnet ?? lease.subnet }
        ),
      extend: () => Effect.void,
      prepare: (owner) => original.prepare(owner, null)
    }
  }),
  broken("prepares a Run wherever it is asked to", ["INV-15 a Run is not prepared"], (original, state) => ({
    prepare: (owner, subnet) =>
      Effect.catch(original.prepare(owner, subnet), (error) =>
        state.provided.places.has(owner.run) ? Effect.fail(error) : original.prepare(owner, null)
      )
  })),
  broken("prepares a Run only once", ["H12 what was prepared", "H37 of a start"], (original) => {
    const seen = new Set<string>()
    return {
      prepare: (owner, subnet) =>
        seen.has(owner.run)
          ? failed("name_conflict")
          : Effect.tap(original.prepare(owner, subnet), () => Effect.sync(() => seen.add(owner.run)))
    }
  }),
  broken("makes a place anew that is there", ["H12 what was prepared", "B19 what was prepared"], (original) => ({
    prepare: (owner, subnet) =>
      Effect.andThen(Effect.ignore(original.remove(owner.run)), original.prepare(owner, subnet))
  })),
  broken("does not ask whose a place is", ["B19 what was prepared"], (original, { provided: { places } }) => ({
    prepare: (owner, subnet) =>
      original.prepare({ ...owner, tenant: places.get(owner.run)?.owner.tenant ?? owner.tenant }, subnet)
  })),
  broken("fails to remove what is not there", ["H14", "X11 a Run of which"], (original, { provided: { places } }) => ({
    remove: (run) => (places.has(run) ? original.remove(run) : Effect.fail(new RemovalError({ left: [] })))
  })),
  broken("forgets what is there", ["X11 a Run of which", "H42"], () => ({ owned: Effect.succeed([]) })),
  broken("removes all Runs", ["X11 the removal"], (original, { provided: { places } }) => ({
    remove: () => Effect.forEach([...places.keys()], original.remove, { discard: true })
  })),
  broken("says another address than that of the Plan", ["H15"], (original) => ({
    start: (spec, say) =>
      Effect.map(original.start(spec, say), ({ node }) => ({
        node,
        address: Address.make({ host: IpAddress.make("127.0.0.9"), port: 1 })
      }))
  })),
  broken("replaces a node that is there", ["B19 of several"], (original, { provided: { places } }) => ({
    start: (spec, say) =>
      Effect.suspend(() => {
        places.get(spec.owner.run)?.nodes.delete(spec.node.name)
        return original.start(spec, say)
      })
  })),
  broken(
    "takes every node for one that runs",
    ["H14", "X11 a Run of which", "B13 a node", "H37 of a start", "H42"],
    () => ({
      inspect: () => Effect.succeed({ state: "running" })
    })
  ),
  broken("finds every image", ["H36"], (original, state) => ({
    resolve: (reference) => Effect.catch(original.resolve(reference), () => Effect.succeed(digest(++state.sequence)))
  })),
  broken("takes every step for a success", ["B13 a step answers", "H37 the removal"], (original) => ({
    perform: (spec, say) => Effect.map(original.perform(spec, say), (exit) => ({ ...exit, exitCode: 0 }))
  })),
  broken("loses what a step says", ["B13 a step answers", "H17"], (original) => ({
    perform: (spec) => original.perform(spec, () => Effect.void)
  })),
  broken("reads no further than it may, so that nobody sees that there is more", ["H39"], (original) => ({
    perform: (spec, say) =>
      Effect.map(original.perform(spec, say), (exit) => ({ ...exit, file: exit.file?.slice(0, 1_048_576) }))
  })),
  broken("takes a step wherever", ["B13 a step in a node"], (original) => ({
    perform: (spec, say) =>
      Effect.catch(original.perform(spec, say), () => Effect.succeed({ exitCode: 0, file: undefined }))
  })),
  broken("gives a node all Credentials", ["H17"], (original) => ({
    perform: (spec, say) =>
      original.perform({ ...spec, node: { ...spec.node, credentials: [...spec.credentials.keys()] } }, say)
  })),
  broken("lets go of a step that is interrupted", ["H37 a step"], (original) => ({
    perform: (spec, say) => Effect.flatMap(Effect.forkDetach(original.perform(spec, say)), joined)
  })),
  broken("lets steps go on when their Run is removed", ["H37 the removal"], (original, { provided: { places } }) => ({
    remove: (run) =>
      Effect.suspend(() => {
        const marks = places.get(run)?.marks ?? new Set<string>()
        if (marks.size === 0) return original.remove(run)
        places.get(run)?.nodes.clear()
        return Effect.void
      })
  })),
  broken("starts nodes in its own time", ["H37 of a start"], (original) => ({
    start: (spec, say) =>
      Effect.uninterruptible(Effect.forkDetach(Effect.delay(original.start(spec, say), 30))).pipe(
        Effect.flatMap(joined)
      )
  })),
  broken("stops with the first part that cannot be removed", ["H42"], (original, { provided: { places } }) => ({
    remove: (run) =>
      Effect.suspend(() => {
        const nodes = [...(places.get(run)?.nodes ?? [])]
        return Effect.tapError(original.remove(run), () =>
          Effect.sync(() => {
            for (const [name, node] of nodes) places.get(run)?.nodes.set(name, node)
          })
        )
      })
  }))
]
