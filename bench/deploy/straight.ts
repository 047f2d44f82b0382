// A deploy as a script does it that takes no care of anything: fetch, build, create, start, ask until it answers, remove what
// served before. The engine is asked for the same things as by Lockkeeper.

import { Effect } from "effect"
import { execFile } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { promisify } from "node:util"
import { create } from "tar"
import { docker } from "../../test/harness/engine.ts"

const run = promisify(execFile)
const name = "lockkeeper-bench-straight"

/** How the script asks whether the App is healthy. */
interface Check {
  readonly path: string
  readonly intervalMillis: number
}

const built = async (directory: string): Promise<void> => {
  await docker.ping()
  const limits = { memory: 2 ** 29, memswap: 2 ** 29, cpuperiod: 100_000, cpuquota: 100_000 }
  const stream = await docker.buildImage(Readable.from(create({ cwd: directory }, ["."]), { objectMode: false }), {
    t: name,
    rm: true,
    forcerm: true,
    ...limits
  })
  stream.resume()
  await once(stream, "end")
  await docker.getImage(name).inspect()
}

const started = async (): Promise<string> => {
  const network = `${name}-net`
  const known = await docker.listNetworks({ filters: { name: [network] } })
  if (known.length === 0) await docker.createNetwork({ Name: network })
  await docker.listContainers({ all: true })
  const container = await docker.createContainer({
    name: `${name}-${Date.now()}`,
    Image: name,
    Env: ["PORT=8080"],
    Labels: { [name]: "yes" },
    HostConfig: {
      NetworkMode: network,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Init: true,
      Memory: 2 ** 29,
      MemorySwap: 2 ** 29,
      NanoCpus: 1e9,
      PidsLimit: 512
    }
  })
  await container.start()
  const { NetworkSettings } = await container.inspect()
  return NetworkSettings.Networks[network]?.IPAddress ?? ""
}

const healthy = async (host: string, { intervalMillis, path }: Check): Promise<void> => {
  for (;;) {
    const answer = await fetch(`http://${host}:8080${path}`).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok === true) return
    await new Promise((resolve) => setTimeout(resolve, intervalMillis))
  }
}

/** Removes every container of the script but the newest, or all of them. */
const removed = async (keep: 0 | 1): Promise<void> => {
  const listed = await docker.listContainers({ all: true, filters: { label: [name] } })
  for (const { Id } of listed.slice(keep)) await docker.getContainer(Id).remove({ force: true })
}

const deployed = async (url: string, check: Check): Promise<void> => {
  const directory = await mkdtemp(join(tmpdir(), "lockkeeper-bench-"))
  try {
    const answer = await fetch(url)
    await writeFile(`${directory}.tar.gz`, Buffer.from(await answer.arrayBuffer()))
    await run("tar", ["-xzf", `${directory}.tar.gz`, "-C", directory])
    await built(directory)
    await healthy(await started(), check)
  } finally {
    await rm(`${directory}.tar.gz`, { force: true })
    await rm(directory, { recursive: true, force: true })
  }
}

/** Deploys the archive and waits until it answers. What served before is removed afterwards, as by Lockkeeper. */
export const straight = (url: string, check: Check) => Effect.promise(() => deployed(url, check))

/** Removes what is left of {@link straight}. */
export const cleared: Effect.Effect<void> = Effect.promise(async () => {
  await removed(0)
  for (const { Id } of await docker.listNetworks({ filters: { name: [`${name}-net`] } })) {
    await docker.getNetwork(Id).remove()
  }
})

/** Removes what served before the newest. */
export const retired: Effect.Effect<void> = Effect.promise(() => removed(1))
