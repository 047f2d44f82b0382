// pgbench, the limit that is measured against: it does nothing but send statements. Debian has it in postgresql-contrib, and
// one of an older major version drives a newer server as well.

import { Data, Effect, Redacted } from "effect"
import { spawn } from "node:child_process"
import { accessSync, constants, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Cluster } from "./cluster.ts"
import type { Sample } from "./compare.ts"

/** pgbench is missing, or it failed. */
export class PgbenchFailed extends Data.TaggedError("PgbenchFailed")<{ readonly message: string }> {}

/** What to run: a script, by how many clients, and whether each transaction's latency is written down. */
export interface PgbenchRun {
  readonly name: string
  readonly script: string
  readonly clients: number
  readonly latencies?: boolean
}

const canRun = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The newest pgbench of Debian's directories, else the one on the PATH. */
export const findPgbench: Effect.Effect<string, PgbenchFailed> = Effect.suspend(() => {
  const debian = "/usr/lib/postgresql"
  const versions = canRun(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const places = [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(process.env["PATH"] ?? "").split(":")
  ].map((directory) => join(directory, "pgbench"))
  const found = places.find(canRun)
  const message = "pgbench is missing: on Debian, apt-get install postgresql-contrib"
  return found === undefined ? Effect.fail(new PgbenchFailed({ message })) : Effect.succeed(found)
})

/** One durable step of one row, by any number of clients: what Postgres does without us. */
export const oneRow = "update bench_counter set n = n + 1 where id = 1;\n"

const ended = (command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv) =>
  Effect.callback<string, PgbenchFailed>((resume) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] })
    let [output, errors] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (output += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (errors += text))
    child.once("error", (cause) => resume(Effect.fail(new PgbenchFailed({ message: cause.message }))))
    child.once("close", (code) =>
      resume(
        code === 0
          ? Effect.succeed(output)
          : Effect.fail(new PgbenchFailed({ message: `pgbench ended with ${code}: ${errors.slice(-2_000)}` }))
      )
    )
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

const numberAfter = (output: string, pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN)

/** The latencies in milliseconds, ascending: the third column is microseconds. */
const latenciesIn = (directory: string, prefix: string): Float64Array => {
  const files = readdirSync(directory).filter((name) => name.startsWith(`${prefix}.`))
  const lines = files.flatMap((name) => readFileSync(join(directory, name), "utf8").trim().split("\n"))
  for (const name of files) rmSync(join(directory, name))
  return Float64Array.from(lines, (line) => Number(line.split(" ")[2]) / 1000).sort()
}

/** Runs pgbench with prepared statements for some seconds. */
export const pgbench = Effect.fnUntraced(function* (run: PgbenchRun, seconds: number) {
  const command = yield* findPgbench
  const { directory, url } = yield* Cluster
  const file = join(directory, `${run.name}.sql`)
  writeFileSync(file, run.script)
  const { hostname, password, pathname, port, username } = new URL(Redacted.value(url))
  const prefix = `${run.name}-log`
  const logging = run.latencies === true ? ["--log", `--log-prefix=${join(directory, prefix)}`] : []
  const output = yield* ended(
    command,
    [
      "--no-vacuum",
      "--protocol=prepared",
      "--define=ready=0",
      `--file=${file}`,
      `--time=${Math.ceil(seconds)}`,
      `--client=${run.clients}`,
      `--jobs=${Math.min(run.clients, 2)}`,
      ...logging,
      `--host=${hostname}`,
      `--port=${port}`,
      `--username=${username}`,
      pathname.slice(1)
    ],
    { ...process.env, PGPASSWORD: decodeURIComponent(password) }
  )
  const failed = numberAfter(output, /number of failed transactions: (\d+)/)
  if (failed > 0) return yield* new PgbenchFailed({ message: `${run.name}: ${failed} transactions failed` })
  const transactions = numberAfter(output, /number of transactions actually processed: (\d+)/)
  if (!(transactions > 0)) {
    return yield* new PgbenchFailed({ message: `${run.name}: no transaction in ${seconds} s, so take more --seconds` })
  }
  const latencies = run.latencies === true ? latenciesIn(directory, prefix) : new Float64Array()
  const sample: Sample = { perSecond: numberAfter(output, /tps = ([\d.]+)/), latencies, facts: { transactions } }
  return sample
})
