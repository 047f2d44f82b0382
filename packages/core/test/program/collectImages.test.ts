// Which images go: those to which nobody can go back, after their time, and never one that something runs or is about to.
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { defaultLeaseTerms } from "../../src/domain/Lease.ts"
import type { ImageDigest } from "../../src/domain/Workload.ts"
import { AppStore } from "../../src/port/AppStore.ts"
import { ContainerRuntime } from "../../src/port/ContainerRuntime.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { MemoryState } from "../../src/port/MemoryState.ts"
import { makeCollectImages } from "../../src/program/collectImages.ts"
import { carryOut, deploy } from "../../src/program/deploy.ts"
import { expire } from "../../src/program/expire.ts"
import { Replica } from "../../src/program/Replica.ts"
import { beginRollback } from "../../src/program/rollback.ts"
import { asked, begun, registered } from "../../src/testing/Fixture.ts"
import { fails, makeHold } from "../../src/testing/Reaction.ts"
import { startReplica, world } from "./scripted.ts"

/** An App, a replica that deploys another version of it each time, and the images that are there. */
const prepared = Effect.gen(function* () {
  const state = yield* MemoryState
  const app = yield* registered()
  const replica = yield* startReplica("one")
  let version = 0
  const deployed = Effect.gen(function* () {
    const tree = `version ${++version}`
    replica.script.building = () => Effect.sync(() => void state.trees.forEach((_, key) => state.trees.set(key, tree)))
    const { image } = yield* replica.run(deploy(asked(app)))
    return image ?? (yield* Effect.die("no image"))
  })
  const collectImages = yield* makeCollectImages
  const collected = (retain: number) => replica.run(collectImages(retain))
  const later = Effect.andThen(collected(1_000), TestClock.adjust(Duration.times(defaultLeaseTerms.ttl, 2.1)))
  return { app, collected, deployed, later, replica, state }
})

const takenFromQueue = Effect.gen(function* () {
  const { id: replica, terms } = yield* Replica
  const claim = yield* (yield* DeploymentStore).admit({ replica, terms })
  return claim ?? (yield* Effect.die("nothing is queued"))
})

const sorted = (images: Iterable<ImageDigest>) => [...images].sort()

describe("collecting images", () => {
  it.effect(
    "INV-10: keeps the images of the newest releases, removes the others, and finds nothing a second time",
    () =>
      Effect.gen(function* () {
        const { collected, deployed, later, state } = yield* prepared
        const [first, second, third, fourth] = [yield* deployed, yield* deployed, yield* deployed, yield* deployed]
        yield* later
        expect(sorted(yield* collected(2))).toStrictEqual(sorted([first, second]))
        expect(sorted(state.images)).toStrictEqual(sorted([third, fourth]))
        expect(yield* collected(2)).toStrictEqual([])
      }).pipe(Effect.provide(world))
  )

  it.effect("INV-10: leaves what was built a moment ago, of which nobody has said yet that it is needed", () =>
    Effect.gen(function* () {
      const { collected, later, state } = yield* prepared
      const runtime = yield* ContainerRuntime
      const image = yield* runtime.build({ directory: "/tree", commit: null }, () => Effect.void)
      expect(yield* collected(1)).toStrictEqual([])
      expect(state.images.has(image)).toBe(true)
      yield* later
      expect(yield* collected(1)).toStrictEqual([image])
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-9: leaves what a workload runs whose release is over and which could not be stopped", () =>
    Effect.gen(function* () {
      const { collected, deployed, later, replica, state } = yield* prepared
      const first = yield* deployed
      replica.script.reactions.set("ContainerRuntime.stop", fails)
      yield* deployed
      yield* later
      expect(yield* collected(1)).toStrictEqual([])
      expect(state.images.has(first)).toBe(true)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-9: leaves what is built again while the store is asked", () =>
    Effect.gen(function* () {
      const { app, collected, deployed, later, replica, state } = yield* prepared
      const first = yield* deployed
      yield* deployed
      yield* later
      const hold = yield* makeHold
      replica.script.reactions.set("DeploymentStore.unneeded", hold.after)
      const collecting = yield* Effect.forkDetach(collected(1))
      yield* hold.reached
      const other = yield* startReplica("other")
      other.script.building = () =>
        Effect.sync(() => void state.trees.forEach((_, key) => state.trees.set(key, "version 1")))
      const { image, status } = yield* other.run(deploy(asked(app)))
      expect([image, status]).toStrictEqual([first, "healthy"])
      yield* hold.release
      yield* Fiber.join(collecting)
      expect(state.images.has(first)).toBe(true)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-10: of a deleted app no image is left", () =>
    Effect.gen(function* () {
      const { app, collected, deployed, later, replica, state } = yield* prepared
      yield* deployed
      yield* (yield* AppStore).mark(app.id, "deleting")
      yield* replica.run(expire())
      yield* later
      yield* collected(5)
      expect(state.images.size).toBe(0)
    }).pipe(Effect.provide(world))
  )

  it.effect("INV-10: one that cannot be removed holds up no other, and goes later", () =>
    Effect.gen(function* () {
      const { collected, deployed, later, replica, state } = yield* prepared
      const [first, second] = [yield* deployed, yield* deployed]
      yield* deployed
      yield* later
      replica.script.reactions.set("ContainerRuntime.removeImage#1", fails)
      const removed = yield* collected(1)
      expect(removed).toHaveLength(1)
      expect(sorted([...removed, ...(yield* collected(1))])).toStrictEqual(sorted([first, second]))
      expect(state.images.size).toBe(1)
    }).pipe(Effect.provide(world))
  )

  it.effect.each(["is only asked for", "has served, and its app is stopped"])(
    "INV-9: leaves what somebody goes back to while the store is asked, when that %s",
    (until) =>
      Effect.gen(function* () {
        const { app, collected, deployed, later, replica, state } = yield* prepared
        const first = yield* deployed
        yield* deployed
        yield* later
        const hold = yield* makeHold
        replica.script.reactions.set("DeploymentStore.unneeded", hold.after)
        const collecting = yield* Effect.forkDetach(collected(1))
        yield* hold.reached
        const other = yield* startReplica("other")
        const release = [...state.releases.keys()][0] ?? (yield* Effect.die("no release"))
        yield* other.run(beginRollback({ app: app.id, release }))
        const carried = other.run(Effect.flatMap(takenFromQueue, carryOut))
        if (until !== "is only asked for") {
          yield* carried
          yield* (yield* AppStore).mark(app.id, "stopped")
          yield* other.run(expire())
        }
        yield* hold.release
        yield* Fiber.join(collecting)
        expect(state.images.has(first)).toBe(true)
        if (until !== "is only asked for") yield* begun(app, { trigger: { kind: "start" }, release: "current" })
        expect(yield* carried).toMatchObject({ status: "healthy", image: first })
      }).pipe(Effect.provide(world))
  )
})
