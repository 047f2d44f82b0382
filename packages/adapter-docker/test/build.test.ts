// Builds on the real engine: what they are sent, what is told of them, and how they end when nobody wants them any more.

import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../../../test/harness/capability.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { images } from "../../../test/harness/images.ts"
import { linesOf, nothing, runtime, specOf, treeOf } from "./support/engine.ts"
import { docker } from "../../../test/harness/engine.ts"

const from = (...steps: ReadonlyArray<string>): Readonly<Record<string, string>> => ({
  Dockerfile: [`FROM ${images.busybox}`, ...steps, ""].join("\n")
})

/** The containers that are steps of builds of an installation. */
const stepsOf = (installation: string) =>
  Effect.promise(async () => {
    const filters = { label: [`lockkeeper.image.installation=${installation}`] }
    return (await docker.listContainers({ all: true, filters })).length
  })

const linkOf = (fd: string): string | undefined => {
  try {
    return Fs.readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return undefined
  }
}

/** Whether this process has a file open. */
const isOpen = (file: string): boolean => Fs.readdirSync("/proc/self/fd").some((fd) => linkOf(fd) === file)

describeWith("docker")("a build on Docker", () => {
  it.live("X1 X15 says each line as it comes, and a step that fails is build_failed with the words of the engine", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const error = yield* Effect.flip(
        made.buildOf(from("RUN echo 'grüß dich'; echo no >&2; exit 7", "RUN echo never"))
      )
      assert.deepStrictEqual(
        [error.reason, error.detail.includes("returned a non-zero code: 7")],
        ["build_failed", true]
      )
      assert.include(made.said, "build: grüß dich")
      assert.include(made.said, "build: no")
      assert.notInclude(made.said.join(), "RUN echo never")
      assert.strictEqual(yield* stepsOf(made.installation), 0)
      assert.deepStrictEqual(yield* made.left, nothing)
    })
  )

  it.live("U3 INV-4 that hangs ends within a second of its interruption, and leaves nothing that runs", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const fiber = yield* Effect.forkChild(made.buildOf(from("RUN echo first", "RUN echo begun; sleep 1000")))
      yield* eventually(
        "it hangs",
        Effect.sync(() => made.said.includes("build: begun")),
        (hangs) => hangs
      )
      const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
      assert.isBelow(Duration.toMillis(took), 1_000)
      yield* eventually("no step runs", stepsOf(made.installation), (count) => count === 0, "1 second")

      const filters = { dangling: ["true"] }
      const dangling = yield* Effect.promise(() => docker.listImages({ filters }))
      const ours = dangling.filter(({ Labels }) => Labels?.["lockkeeper.image.installation"] === made.installation)
      assert.isAbove(ours.length, 0, "what the finished steps left can be told from what is others'")
    })
  )

  it.live("makes the same image of the same tree, and another one of another", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const [one, same] = [
        yield* made.buildOf({ ...from("COPY . ."), "a.txt": "a" }),
        yield* made.buildOf({ ...from("COPY . ."), "a.txt": "a" })
      ]
      assert.strictEqual(one, same)
      assert.notStrictEqual(yield* made.buildOf({ ...from("COPY . ."), "a.txt": "b" }), one)
      const { RepoTags } = yield* Effect.promise(() => docker.getImage(one).inspect())
      assert.lengthOf(RepoTags, 1)
      assert.match(RepoTags.join(), new RegExp(`^lockkeeper-${made.installation}:${one.slice(7, 39)}-[0-9a-f]{16}$`))
    })
  )

  it.live("is not sent what .dockerignore names, but for what it brings back", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const image = yield* made.buildOf({
        ...from("COPY . /app", "CMD find /app -type f | sort"),
        ".dockerignore": "# comment\nnode_modules\n**/*.log\nsecret\n!secret/kept.txt\nDockerfile\n.dockerignore\n",
        "app.txt": "",
        "deep/x.log": "",
        "deep/x.txt": "",
        "node_modules/a/b.txt": "",
        "secret/dropped.txt": "",
        "secret/kept.txt": ""
      })
      const said = yield* linesOf(made, yield* made.start(specOf(image)))
      assert.deepStrictEqual(
        said,
        ["app.txt", "deep/x.txt", "secret/kept.txt"].map((name) => `stdout: /app/${name}`)
      )
    })
  )

  it.live("X15 has bounded memory and CPU, and knows no secret", () =>
    Effect.gen(function* () {
      const made = yield* runtime({ memoryBytes: 64 * 1024 ** 2 })
      const limits = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
      const image = yield* made.buildOf(from(`RUN ${limits}; env`))
      assert.include(made.said, `build: ${64 * 1024 ** 2}`)
      const workload = yield* made.start(specOf(image, { env: { SECRET: "canary" } }))
      const told = yield* Effect.promise(async () => [
        await docker.getImage(image).history(),
        await docker.getImage(image).inspect()
      ])
      assert.notInclude(JSON.stringify(told) + made.said.join(), "canary")
      yield* made.stop(workload.name, workload.id)
    })
  )

  it.live("of a tree that cannot be read to its end is build_failed, at once", () =>
    Effect.gen(function* () {
      const made = yield* runtime()
      const tree = yield* treeOf({ ...from("COPY . ."), "big.bin": "" })
      const file = Path.join(tree.directory, "big.bin")
      Fs.truncateSync(file, 512 * 1024 ** 2)
      const fiber = yield* Effect.forkChild(Effect.flip(made.build(tree, made.say)))
      yield* eventually(
        "it is read",
        Effect.sync(() => isOpen(file)),
        (is) => is
      )
      Fs.truncateSync(file, 0)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason, "build_failed", error.detail)
    })
  )
})
