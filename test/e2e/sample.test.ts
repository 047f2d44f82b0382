// The first thing that anybody does: one command, nothing else installed, and a page that answers.

import { assert, describe, layer, vi } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs"
import * as Path from "node:path"
import { describeWith, programPath } from "../harness/capability.ts"
import { ask } from "../harness/deploying.ts"
import { containersOf } from "../harness/engine.ts"
import { eventually } from "../harness/eventually.ts"
import { flavour } from "../harness/flavour.ts"
import { isRunning, processesWith } from "../harness/processes.ts"
import { makePlace, type Place, type Server, startServer, stopServer } from "../harness/server.ts"
import { World } from "../harness/world.ts"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** A place as `npm start` has one: no tokens are given, and the sample is asked for. */
const samplePlace = (...given: Parameters<typeof makePlace>) =>
  Effect.map(makePlace(...given), (place): Place => {
    const { LOCKKEEPER_TOKENS: _, ...env } = place.env
    return { ...place, env: { ...env, LOCKKEEPER_SAMPLE: "1" } }
  })

const said = (server: Server, pattern: RegExp) =>
  eventually(
    `the server says ${pattern.source}`,
    Effect.sync(() => pattern.exec(server.output())?.[1] ?? (server.hasExited() ? "exited" : undefined)),
    (found) => found !== undefined,
    "30 seconds"
  )

/** Starts the server from its sources, as `npm start` does, and waits until its sample answers; what the page says is part of the answer. */
const startSample = Effect.fnUntraced(function* (place: Place) {
  const server = yield* startServer(place, {}, undefined, "sources")
  const url = (yield* said(server, /^sample app: (http:\S+)$/m)) ?? ""
  const app = (yield* said(server, /\/v1\/apps\/(app_\w+)\/env/)) ?? ""
  const page = yield* ask(url)
  assert.deepStrictEqual([page.status, /<h1>(.*)<\/h1>/.exec(page.text)?.[1]], [200, greeting], server.output())
  return { server, url, app }
})

const greeting = "Hello from your first deployment"

/** Nothing runs any more, unless it is a container that outlives a killed server, and nothing lies about. */
const isGone = Effect.fnUntraced(function* ({ dataDir, env }: Place, postmaster: number, app: "ended" | "killed") {
  const running = Effect.promise(async () => {
    const containers = flavour === "docker" && app === "ended" ? await containersOf({ dataDir }) : []
    return processesWith(`HOME=${dataDir}/work/`).length + containers.length + Number(isRunning(postmaster))
  })
  yield* eventually("the app and the database have ended", running, (count) => count === 0, "5 seconds")
  assert.deepStrictEqual(readdirSync(env["TMPDIR"] ?? ""), [])
})

const postmasterOf = ({ dataDir }: Place): number =>
  Number.parseInt(readFileSync(Path.join(dataDir, "pg", "postmaster.pid"), "utf8"), 10)

describe("npm start", () => {
  layer(World.layer(), { excludeTestServices: true })((it) => {
    describeWith("git")("with git", () => {
      it.effect(
        "INV-7 deploys the sample, ends without a trace at Ctrl-C, and finds its app again, also after kill -9",
        () =>
          Effect.gen(function* () {
            const place = yield* samplePlace(undefined)
            const first = yield* startSample(place)
            const postmaster = postmasterOf(place)
            assert.isTrue(isRunning(postmaster))
            assert.include(first.server.output(), "from a Git repository")
            assert.deepStrictEqual(yield* stopServer(first.server, "SIGINT"), { code: 0, signal: null })
            yield* isGone(place, postmaster, "ended")
            const homes = Path.join(place.dataDir, "work", "homes")
            assert.deepStrictEqual(existsSync(homes) ? readdirSync(homes) : [], [])

            const second = yield* startSample(place)
            assert.deepStrictEqual([second.app, second.url], [first.app, first.url])
            const killed = postmasterOf(place)
            yield* stopServer(second.server, "SIGKILL")
            yield* isGone(place, killed, "killed")

            const third = yield* startSample(place)
            assert.deepStrictEqual([third.app, third.url], [first.app, first.url])
            const token = readFileSync(Path.join(place.dataDir, "private", "admin-token"), "utf8")
            for (const { server } of [first, second, third]) assert.notInclude(server.output(), token)
          })
      )
    })

    describe("without git", () => {
      it.effect("deploys the sample from an archive", () =>
        Effect.gen(function* () {
          const { database } = yield* World
          const place = yield* samplePlace(database)
          const bin = Path.join(place.directory, "bin")
          mkdirSync(bin)
          for (const name of ["node", "sh"]) symlinkSync(programPath(name) ?? "", Path.join(bin, name))
          const { server } = yield* startSample({ ...place, env: { ...place.env, PATH: bin } })
          assert.include(server.output(), "from an archive")
          assert.deepStrictEqual(yield* stopServer(server, "SIGINT"), { code: 0, signal: null })
          assert.deepStrictEqual(readdirSync(place.env["TMPDIR"] ?? ""), [])
        })
      )
    })
  })
})
