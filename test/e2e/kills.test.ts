// A real server is killed, or told to stop, exactly at a failpoint that a deploy reaches: in the stores before or after a
// transaction, in the calls to the engine, around files and processes. The next start makes it good.

import { assert, layer, vi } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { describeWith } from "../harness/capability.ts"
import { begin, deployedApp, ended, serves } from "../harness/deploying.ts"
import { type Commanded, startCommanded } from "../harness/failpoints.ts"
import { byFlavour, flavour } from "../harness/flavour.ts"
import { GitWorld } from "../harness/gitWorld.ts"
import { shuffled, soak, tryUntil } from "../harness/sample.ts"
import { goodApp } from "../harness/testApp.ts"
import { comesToRest, World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 120_000 })

const faults = ["is killed before", "is killed after", "is stopped before"] as const

/** An App that is deployed with one version after the other, and the points on the way of a deploy of it. */
class Victim extends Context.Service<
  Victim,
  {
    readonly id: string
    readonly url: string
    readonly points: ReadonlyArray<string>
    /** Those that a later deploy did not reach. */
    readonly missed: Set<string>
    /** Commits the next version and answers it and its commit. */
    readonly next: () => { readonly version: string; readonly commit: string }
    /** The version that serves. */
    serving: string
  }
>()("test/e2e/kills/Victim") {
  static readonly layer = Layer.effect(
    Victim,
    Effect.scoped(
      Effect.gen(function* () {
        const { repository, source } = yield* GitWorld
        let version = 1
        const next = () => {
          const commit = repository.commit(goodApp(`v${++version}`))
          return { version: `v${version}`, commit }
        }
        const server = yield* startCommanded()
        const { id, url } = yield* deployedApp(server.client, source)
        const once = Effect.gen(function* () {
          const { version } = next()
          yield* server.obey({ point: "", fault: "none" })
          const deployment = yield* begin(server.client, id)
          assert.strictEqual((yield* ended(server.client, deployment.id)).status, "healthy")
          yield* comesToRest
          return { version, reached: new Set(server.reached()) }
        })
        yield* server.obey({ point: "", fault: "none" })
        yield* Effect.sleep("6 seconds")
        const nameOf = (point: string): string => point.replace(/#\d+$/, "")
        const idle = new Set(server.reached().map(nameOf))
        // What is reached each time: how often something is looked at beside a deploy depends on how long that takes.
        const [first, second] = [yield* once, yield* once]
        const isSure = (point: string): boolean => !idle.has(nameOf(point)) || /#[12]$/.test(point)
        const points = [...first.reached].filter((point) => second.reached.has(point) && isSure(point))
        const serving = second.version
        return { id, url, points, missed: new Set<string>(), next, serving }
      })
    )
  ).pipe(Layer.provideMerge(World.layer()), Layer.provideMerge(GitWorld.layer))
}

/**
 * Deploys with a fault at a point, starts the server again, and dies when what must hold then does not. Answers whether the
 * point was reached, and the server that runs now.
 */
const tried = Effect.fnUntraced(function* (server: Commanded, point: string, fault: (typeof faults)[number]) {
  const victim = yield* Victim
  const { commit, version } = victim.next()
  yield* server.obey({ point, fault })
  yield* Effect.ignore(begin(server.client, victim.id))
  const over = Effect.andThen(comesToRest, Effect.sleep("1 second"))
  yield* Effect.raceFirst(server.exited, Effect.ignoreCause(over))
  const wasHit = server.reached().includes(point)
  yield* server.signal("SIGKILL")
  yield* server.exited

  const next = yield* startCommanded()
  yield* comesToRest
  const { items } = yield* next.client.deployments.list({ params: { app: victim.id }, query: { limit: 1 } })
  const isNew = items.some((deployment) => deployment.commit === commit && deployment.status === "healthy")
  victim.serving = isNew ? version : victim.serving
  yield* serves(victim.url, victim.serving)
  return { wasHit, next }
})

describeWith(...byFlavour({ docker: ["docker", "git", "sshd"] as const, process: ["git", "sshd"] as const }))(
  "INV-1 INV-7 INV-8 INV-12 INV-13 a deploy whose server",
  () => {
    layer(Victim.layer, { excludeTestServices: true, timeout: 120_000 })((it) => {
      it.effect.each(faults)("%s any one point of it is made good by the next start", (fault) =>
        Effect.gen(function* () {
          const { missed, points } = yield* Victim
          assert.isAbove(points.length, 30, points.join())
          // What one fault missed comes last for the next one, which would wait for it in vain.
          const order = shuffled(points).toSorted((a, b) => Number(missed.has(a)) - Number(missed.has(b)))
          const wanted = soak.many(byFlavour({ docker: 1, process: 2 }), byFlavour({ docker: 20, process: 40 }))
          let server = yield* startCommanded()
          yield* comesToRest
          const { attempts, hits } = yield* tryUntil(wanted, order.slice(0, wanted * 5), (point) =>
            Effect.map(tried(server, point, fault), ({ next, wasHit }) => {
              server = next
              if (!wasHit) missed.add(point)
              return wasHit
            })
          )
          soak.count(`server ends at a failpoint, ${flavour}`, { attempts, "point reached": hits })
          assert.isAbove(hits, 0)
        })
      )
    })
  }
)
