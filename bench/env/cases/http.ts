// PATCH requests to the reference server as a process of its own: one App that everybody writes to, and one for each. Told,
// not judged: requests, latencies, memory, and whose processor was busy.

import { Console, Effect, Redacted } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { makePlace, startServer } from "../../../test/harness/server.ts"
import { seed, wrongIn } from "../apps.ts"
import { Cluster } from "../cluster.ts"
import { all, type Case, type Sample } from "../compare.ts"
import type { Options } from "../options.ts"
import { startWorkers } from "../workers.ts"

const keys = 10
const ticksPerSecond = 100

/** From here on the client may be what limits the requests. */
const busyClient = 0.9

const residentMegabytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ")
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** What a run used of the server. */
const withServer = <E, R>(pid: number, run: Effect.Effect<Sample, E, R>) =>
  Effect.gen(function* () {
    const [memory, cpu, begun] = [residentMegabytes(pid), cpuSeconds(pid), performance.now()]
    const sample = yield* run
    const serverCpus = (cpuSeconds(pid) - cpu) / ((performance.now() - begun) / 1000)
    if ((sample.facts["clientCpus"] ?? 0) > busyClient) {
      yield* Console.error("http: the client's processor is busy: the server could answer more than this")
    }
    const facts = { serverCpus, megabytesBefore: memory, megabytesAfter: residentMegabytes(pid) }
    return { ...sample, facts: { ...sample.facts, ...facts } }
  })

/** What the server does. */
export const http = Effect.fnUntraced(function* ({ writers }: Options) {
  const { directory, secretKey, url: database } = yield* Cluster
  const keyFile = join(directory, "secret.key")
  writeFileSync(keyFile, secretKey, { mode: 0o600 })
  const hot = yield* seed("http-hot", 1, keys)
  const spread = yield* seed("http-spread", writers, keys)
  const place = yield* makePlace(database, {
    LOCKKEEPER_SECRET_KEY_FILE: keyFile,
    LOCKKEEPER_DATABASE_PREPARE: "true",
    LOCKKEEPER_RUNTIME: "process"
  })
  const { pid, url } = yield* startServer(place, {}, ["bench/env/server.ts"])
  const token = Redacted.value(place.token)
  const contenderOf = Effect.fnUntraced(function* (name: string, seeded: typeof hot) {
    const common = { url, token, apps: seeded.apps, writers, keys, connections: writers, firstWriter: 0 }
    const workers = yield* startWorkers([{ kind: "http", ...common }])
    const check = Effect.flatMap(workers.report, (report) => wrongIn(seeded, report))
    const run = (seconds: number) => withServer(pid, workers.run(seconds))
    return { contender: { name, connections: writers, run }, check }
  })
  const both = [yield* contenderOf("http-hot", hot), yield* contenderOf("http-spread", spread)]
  const part: Case = {
    name: "http",
    contenders: both.map(({ contender }) => contender),
    goals: (["perSecond", "p50", "p99"] as const).flatMap((of) => [
      { name: "PATCH, 64 clients, one App", of, ours: "http-hot" },
      { name: "PATCH, 64 clients, 64 Apps", of, ours: "http-spread" }
    ]),
    check: all(both.map(({ check }) => check))
  }
  return part
})
