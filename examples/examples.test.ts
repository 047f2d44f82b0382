// Runs each example as its reader would: as a program of its own, from the sources.
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { counts, freshInstallation, nothing, removeAll } from "../packages/adapter-docker/test/support/engine.ts"
import { Effect } from "effect"
import { makeContainerRuntimeContract } from "@lockkeeper/core/testing/ContainerRuntimeContract"
import { describeWith } from "../test/harness/capability.ts"
import { images } from "../test/harness/images.ts"

const argsOf = (example: string) => [
  "--conditions=@lockkeeper/source",
  fileURLToPath(new URL(example, import.meta.url))
]

/** Runs Node to its end. */
const runNode = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  new Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }>((resolve) => {
    const options = { cwd: import.meta.dirname, env: { ...process.env, ...env } }
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    })
  })

const run = async (example: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const { code, stderr, stdout } = await runNode(argsOf(example), env)
  assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
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

const nowhere = { directory: "", commit: null }
const laws = makeContainerRuntimeContract(nowhere, nowhere)

/** A variant of ownAdapter.ts that stops only what it knows the id of, run as that file is. */
const broken = `
  import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
  import { Effect } from "effect"
  import { make, report } from "./ownAdapter.ts"
  const forgetful = (directory) => {
    const runtime = make(directory)
    return { ...runtime, stop: (name, id) => (id === undefined ? Effect.void : runtime.stop(name, id)) }
  }
  NodeRuntime.runMain(report(forgetful))`

describe("examples", () => {
  it("deployInMemory.ts deploys and says where the app is reached", async () => {
    assert.match(await run("./deployInMemory.ts"), /^web is healthy as rel_\w+, reached at port \d+\n$/)
  })

  it("K3 H13 cappedWork.ts works in a slot, and goes through the items of a batch of its own", async () => {
    const lines = ["exported 42 rows in a slot", "ann: 3", "bob: no address", "cy: 2", ""]
    assert.strictEqual(await run("./cappedWork.ts"), lines.join("\n"))
  })

  it("INV-7 everyFailpoint.ts tries every fault at every point of a deploy, and one workload is left", async () => {
    assert.match(
      await run("./everyFailpoint.ts"),
      /^\d\d points, \d\d faults: whatever happened, one workload was left\n$/
    )
  })

  it("INV-5 checkHistory.ts judges what eight callers saw of one Env", async () => {
    assert.strictEqual(await run("./checkHistory.ts"), "16 operations: linearizable\n")
  })

  it("E12 replaceEnv.ts replaces what it has read, again when a colleague was faster, and loses no variable", async () => {
    assert.deepStrictEqual((await run("./replaceEnv.ts")).trimEnd().split("\n"), [
      "4: editor set NEW_TOKEN and TOKEN, deleted OLD_TOKEN",
      "3: colleague set NEW_TOKEN, deleted nothing",
      "2: colleague set OLD_TOKEN, deleted nothing",
      "1: colleague set TOKEN, deleted nothing",
      "left: NEW_TOKEN and TOKEN"
    ])
  })

  it("X18 ownAdapter.ts keeps every law of the port, and says so", async () => {
    const lines = (await run("./ownAdapter.ts")).trimEnd().split("\n")
    assert.deepStrictEqual(
      lines,
      laws.map(({ id, law }) => `ok     ${id} ${law}`)
    )
  })

  it("X18 ownAdapter.ts reports what a broken variant breaks, and exits with 1", async () => {
    const { code, stdout } = await runNode(["--conditions=@lockkeeper/source", "--input-type=module", "--eval", broken])
    const [reported = "", ...others] = stdout.split("\n").filter((line) => line.startsWith("BROKEN"))
    assert.match(
      reported,
      /^BROKEN H29 a Workload of which only the name is known can be stopped: expected what is seen to be \{"state":"gone"\}/
    )
    // What it does not stop keeps its image.
    assert.deepStrictEqual(
      others.map((line) => line.split(" ").slice(0, 6).join(" ")),
      ["BROKEN INV-10 an image is listed", "BROKEN INV-9 an image that was"]
    )
    assert.lengthOf(
      stdout.split("\n").filter((line) => line.startsWith("ok ")),
      laws.length - 3
    )
    assert.strictEqual(code, 1)
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

describe("examples without Docker", () => {
  it("deployOnDocker.ts says why it did not deploy, and exits with 1", async () => {
    const ended = await runNode(argsOf("./deployOnDocker.ts"), { DOCKER_HOST: "tcp://127.0.0.1:1" })
    const stderr = "web is failed: ping: the engine does not answer (ECONNREFUSED)\n"
    assert.deepStrictEqual(ended, { code: 1, stdout: "", stderr })
  })
})

describeWith("docker")("examples on Docker", () => {
  it.live("deployOnDocker.ts deploys, says what the app answers, and leaves nothing on the engine", () =>
    Effect.gen(function* () {
      const installation = freshInstallation()
      yield* Effect.addFinalizer(() => removeAll(installation))
      const env = { BASE_IMAGE: images.node, INSTALLATION: installation }
      const said = yield* Effect.promise(() => run("./deployOnDocker.ts", env))
      assert.match(said, /^web is healthy and says: hello from [0-9a-f]{12}\n$/)
      assert.deepStrictEqual(yield* counts(installation), nothing)
    })
  )

  it.live.each([
    { verdict: "pass", code: 0, terms: { VISITS: "100", P95_MILLIS: "60000" } },
    { verdict: "fail", code: 1, terms: { VISITS: "100", P95_MILLIS: "0" } },
    { verdict: "inconclusive", code: 2, terms: { VISITS: "0" } }
  ])(
    "X11 H39 integrationRun.ts ends with $code when its verdict is $verdict, and leaves nothing on the engine",
    ({ code, terms, verdict }) =>
      Effect.gen(function* () {
        const installation = freshInstallation()
        yield* Effect.addFinalizer(() => removeAll(installation))
        const own = { INSTALLATION: installation, RANGE: "10.233.0.0/21" }
        const env = { BASE_IMAGE: images.node, POSTGRES_IMAGE: images.postgres, ...own, ...terms }
        const ended = yield* Effect.promise(() => runNode(argsOf("./integrationRun.ts"), env))
        assert.deepStrictEqual({ code: ended.code, stderr: ended.stderr }, { code, stderr: "" })
        assert.match(ended.stdout, /^schema ended with 0 after \d+ ms: \{\}\nload ended with 0 after \d+ ms: .*\n/)
        assert.include(ended.stdout, `integration is ${verdict}`)
        assert.deepStrictEqual(yield* counts(installation), nothing)
      }),
    120_000
  )
})
