// Runs each example as its reader would: as a program of its own, from the sources.
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { counts, nothing, removeAll } from "../packages/adapter-docker/test/support/engine.ts"
import { Effect } from "effect"
import { makeContainerRuntimeContract } from "@lockkeeper/core/testing/ContainerRuntimeContract"
import { describeWith } from "../test/harness/capability.ts"
import { images } from "../test/harness/images.ts"

const argsOf = (example: string) => [
  "--conditions=@lockkeeper/source",
  fileURLToPath(new URL(example, import.meta.url))
]

const run = async (example: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, argsOf(example), { env: { ...process.env, ...env } })
  return stdout
}

const firstLine = async (child: ChildProcess): Promise<string> => {
  let text = ""
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    if (text.includes("\n")) break
  }
  return text.trim()
}

describe("examples", () => {
  it("deployInMemory.ts deploys and says where the app is reached", async () => {
    assert.match(await run("./deployInMemory.ts"), /^web is healthy as rel_\w+, reached at port \d+\n$/)
  })

  it("X18 ownAdapter.ts keeps every law of the port, and says so", async () => {
    const lines = (await run("./ownAdapter.ts")).trimEnd().split("\n")
    const laws = makeContainerRuntimeContract({ directory: "", commit: null })
    assert.deepStrictEqual(
      lines,
      laws.map(({ id, law }) => `ok     ${id} ${law}`)
    )
  })

  it("embedInHono.ts serves the team's own page, and deploys", async () => {
    const child = spawn(process.execPath, argsOf("./embedInHono.ts"), { env: { ...process.env, PORT: "0" } })
    try {
      const [url = ""] = /http:\S+/.exec(await firstLine(child)) ?? []
      const page = await fetch(new URL("/", url))
      assert.strictEqual(await page.text(), "our own page")
      const deployed = await fetch(url, { method: "POST" })
      assert.strictEqual(deployed.status, 200)
      assert.match(await deployed.text(), /"status":"healthy"/)
    } finally {
      child.kill("SIGINT")
      await once(child, "exit")
    }
  })
})

describeWith("docker")("examples on Docker", () => {
  it.live("deployOnDocker.ts deploys, says what the app answers, and leaves nothing on the engine", () =>
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => removeAll("example"))
      const said = yield* Effect.promise(() => run("./deployOnDocker.ts", { BASE_IMAGE: images.node }))
      assert.match(said, /^web is healthy and says: hello from [0-9a-f]{12}\n$/)
      assert.deepStrictEqual(yield* counts("example"), nothing)
    })
  )
})
