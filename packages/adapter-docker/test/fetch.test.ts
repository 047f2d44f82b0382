// Sources on the real engine: repositories in a container that can do nothing else, and images by their digest.

import { assert, describe, it } from "@effect/vitest"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import { type GitSource, GitUrl, ImageReference } from "@lockkeeper/core/domain/Source"
import { SourceError, SourceFetcher } from "@lockkeeper/core/port/SourceFetcher"
import { runWithFault } from "@lockkeeper/core/testing/everyFailpoint"
import { Duration, Effect, Fiber, Redacted } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describeWith } from "../../../test/harness/capability.ts"
import { eventually } from "../../../test/harness/eventually.ts"
import { GitWorld, sourceOver } from "../../../test/harness/gitWorld.ts"
import { images } from "../../../test/harness/images.ts"
import { tcpProxy } from "../../../test/harness/tcpProxy.ts"
import { temporaryDirectory } from "../../../test/harness/temporaryDirectory.ts"
import * as DockerSourceFetcher from "../src/DockerSourceFetcher.ts"
import { counts, freshInstallation, nothing, removeAll, runtime, shell, specOf } from "./support/engine.ts"
import { docker } from "../../../test/harness/engine.ts"

/** A fetcher that leaves archives to nobody. */
const fetcher = (options: Partial<DockerSourceFetcher.DockerSourceFetcherOptions> = {}) =>
  Effect.gen(function* () {
    const installation = options.installation ?? freshInstallation()
    yield* Effect.addFinalizer(() => removeAll(installation))
    const directory = options.directory ?? (yield* temporaryDirectory)
    const beneath = new SourceError({ reason: "source_unreachable", detail: "beneath" })
    const made = yield* DockerSourceFetcher.make({
      installation,
      replica: ReplicaId.make("one"),
      gitImage: ImageReference.make(images.git),
      directory,
      ...options
    }).pipe(Effect.provideService(SourceFetcher, { fetch: () => Effect.fail(beneath) }))
    return { ...made, installation, directory, left: counts(installation), files: () => Fs.readdirSync(directory) }
  })

const helpersOf = (installation: string) =>
  Effect.promise(async () => {
    const listed = await docker.listContainers({ filters: { label: [`lockkeeper.installation=${installation}`] } })
    return Promise.all(listed.map(({ Id }) => docker.getContainer(Id).inspect()))
  })

/** A fetch that is on its way to a server that says nothing yet. */
const stalled = Effect.fnUntraced(function* (made: Effect.Success<ReturnType<typeof fetcher>>) {
  const git = yield* GitWorld
  const proxy = yield* tcpProxy({ host: "127.0.0.1", port: git.server.port })
  yield* proxy.stall
  const fiber = yield* Effect.forkChild(Effect.scoped(made.fetch(sourceOver(git, proxy))))
  yield* eventually("ssh connects", Effect.sync(proxy.open), (open) => open > 0)
  return { fiber, proxy, key: git.source.deployKey ?? git.stranger }
})

describeWith(
  "docker",
  "git",
  "sshd"
)("a Git repository", () => {
  it.layer(GitWorld.layer, { excludeTestServices: true })((it) => {
    it.effect("U2 is fetched with its commit, and all that it took is gone with the Scope", () =>
      Effect.gen(function* () {
        const { repository, source } = yield* GitWorld
        const made = yield* fetcher()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const tree = yield* made.fetch(source)
            if ("image" in tree) return assert.fail("a tree was expected")
            assert.strictEqual(tree.commit, repository.git("rev-parse", "HEAD"))
            assert.deepStrictEqual(Fs.readdirSync(tree.directory).sort(), ["Dockerfile", "Procfile", "app.mjs"])
            assert.strictEqual(Fs.statSync(tree.directory).mode & 0o777, 0o700)
            assert.deepStrictEqual(yield* made.left, nothing, "the container has done its work")
          })
        )
        assert.deepStrictEqual(made.files(), [])
      })
    )

    it.effect.each([
      ["docker.create volume", "loses its answer"],
      ["docker.create", "loses its answer"],
      ["docker.remove volume", "fails"],
      ["docker.remove", "dies before"]
    ] as const)("U2 INV-12 H24 of a fetch in which the call %s %s nothing is left", ([name, fault]) =>
      Effect.gen(function* () {
        const { source } = yield* GitWorld
        const made = yield* fetcher()
        const { reached } = yield* runWithFault(Effect.scoped(made.fetch(source)), { name, nth: 1 }, fault)
        assert.isTrue(reached)
        assert.deepStrictEqual([yield* made.left, made.files()], [nothing, []])
      })
    )

    it.effect(
      "U2 INV-12 its key is in no argument, environment, label, mount, volume or file while it is fetched",
      () =>
        Effect.gen(function* () {
          const made = yield* fetcher()
          const { fiber, key, proxy } = yield* stalled(made)
          const [helper] = yield* helpersOf(made.installation)
          if (helper === undefined) return assert.fail("there is a helper")
          const lines = Redacted.value(key)
            .split("\n")
            .filter((line) => line.length > 20)
          const isIn = (text: string): boolean => lines.some((line) => text.includes(line))

          assert.isFalse(isIn(JSON.stringify(helper)))
          const { CapDrop, Memory, PidsLimit, Privileged, ReadonlyRootfs, SecurityOpt } = helper.HostConfig
          assert.deepStrictEqual(
            [CapDrop, Memory, PidsLimit, Privileged, ReadonlyRootfs, SecurityOpt, helper.Config.User],
            [["ALL"], 2 ** 30, 256, false, true, ["no-new-privileges"], "65534:65534"]
          )
          const [volume] = helper.Mounts.map(({ Source }) => Source)
          const upper: unknown = new Map(Object.entries(helper.GraphDriver.Data)).get("UpperDir")
          for (const place of [volume, String(upper), made.directory]) {
            const found = filesBelow(place ?? "")
            assert.isFalse(isIn(found), place)
          }
          yield* proxy.resume
          assert.strictEqual((yield* Fiber.join(fiber)).commit?.length, 40)
          assert.deepStrictEqual(yield* made.left, nothing)
        })
    )

    it.effect("U2 H5 whose fetch is interrupted is let go of at once, and nothing is left", () =>
      Effect.gen(function* () {
        const made = yield* fetcher()
        const { fiber } = yield* stalled(made)
        const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
        assert.isBelow(Duration.toMillis(took), 2_000)
        assert.deepStrictEqual([yield* made.left, made.files()], [nothing, []])
      })
    )

    it.effect("H8 that takes longer than its deadline is source_unreachable, and nothing is left", () =>
      Effect.gen(function* () {
        const made = yield* fetcher({ deadline: "2 seconds" })
        const { fiber } = yield* stalled(made)
        const error = yield* Effect.flip(Fiber.join(fiber))
        assert.deepStrictEqual([error.reason, error.detail.includes("within 2s")], ["source_unreachable", true])
        assert.deepStrictEqual([yield* made.left, made.files()], [nothing, []])
      })
    )

    it.effect("U2 INV-7 what a dead process left is swept by the next one of its replica, not by another", () =>
      Effect.gen(function* () {
        const installation = freshInstallation()
        const directory = yield* temporaryDirectory
        const dead = yield* fetcher({ installation, directory })
        yield* stalled(dead)
        Fs.writeFileSync(Path.join(directory, "left over"), "")

        yield* fetcher({ installation, replica: ReplicaId.make("two") })
        yield* Effect.sleep("300 millis")
        assert.deepStrictEqual(yield* dead.left, { containers: 1, networks: 0, volumes: 1 })

        yield* fetcher({ installation, directory })
        const left = eventually("it is swept", dead.left, ({ containers, volumes }) => containers + volumes === 0)
        assert.deepStrictEqual(yield* left, nothing)
        assert.deepStrictEqual(Fs.readdirSync(directory), [])
      })
    )

    it.effect("that holds more than it may, or cannot be put on the disk, is refused, and nothing is left", () =>
      Effect.gen(function* () {
        const { source } = yield* GitWorld
        const made = yield* fetcher({ unpacked: { entries: 2, bytes: 2 ** 20 } })
        const error = yield* Effect.flip(Effect.scoped(made.fetch(source)))
        assert.deepStrictEqual(
          [error.reason, error.detail.includes("more than 2 entries")],
          ["source_unreachable", true]
        )
        assert.deepStrictEqual([yield* made.left, made.files()], [nothing, []])
      })
    )

    it.effect("without a clone image is source_unreachable, and the detail names it", () =>
      Effect.gen(function* () {
        const { source } = yield* GitWorld
        const made = yield* fetcher({ gitImage: ImageReference.make("registry.invalid/git:1") })
        const error = yield* Effect.flip(Effect.scoped(made.fetch(source)))
        assert.deepStrictEqual(
          [error.reason, error.detail.includes("registry.invalid/git:1")],
          ["source_unreachable", true]
        )
        const bare = yield* fetcher({ gitImage: ImageReference.make(images.busybox) })
        const lacking = yield* Effect.flip(Effect.scoped(bare.fetch(withoutKey(source))))
        assert.deepStrictEqual([lacking.reason, lacking.detail], ["source_unreachable", "the clone image has no git"])
        assert.deepStrictEqual(yield* bare.left, nothing)
      })
    )

    it.effect("INV-12 whose key is damaged is auth_failed", () =>
      Effect.gen(function* () {
        const { source } = yield* GitWorld
        const made = yield* fetcher()
        const damaged = Redacted.make("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
        const error = yield* Effect.flip(Effect.scoped(made.fetch({ ...source, deployKey: damaged })))
        assert.strictEqual(error.reason, "auth_failed")
        assert.deepStrictEqual(yield* made.left, nothing)
      })
    )
  })
})

const withoutKey = ({ deployKey: _, ...source }: GitSource): GitSource => ({
  ...source,
  url: GitUrl.make("http://127.0.0.1:9/app.git")
})

const filesBelow = (directory: string): string =>
  Fs.readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => Fs.readFileSync(Path.join(entry.parentPath, entry.name), "latin1"))
    .join("\n")

describeWith("docker")("an image", () => {
  describe("is what its name stands for when it is fetched", () => {
    it.live("INV-9 H36 pinned by its digest, kept when the name moves on, and gone when it is removed", () =>
      Effect.gen(function* () {
        const made = yield* fetcher()
        const running = yield* runtime({ installation: made.installation })
        const name = `lockkeeper-moving-${made.installation}:1`
        const tag = (image: string) =>
          Effect.promise(async () => {
            const [repo, version] = name.split(":")
            await docker.getImage(image).tag({ repo: repo ?? "", tag: version ?? "" })
          })
        yield* Effect.addFinalizer(() =>
          Effect.promise(() =>
            docker
              .getImage(name)
              .remove()
              .catch(() => undefined)
          )
        )
        const [one, two] = [yield* running.buildOf(shell("exit 1")), yield* running.buildOf(shell("exit 2"))]

        yield* tag(one)
        const first = yield* made.fetch({ type: "image", reference: ImageReference.make(name) })
        assert.deepStrictEqual(first, { image: one, commit: null })
        yield* tag(two)
        const second = yield* made.fetch({ type: "image", reference: ImageReference.make(name) })
        assert.deepStrictEqual(second, { image: two, commit: null })
        const workload = yield* running.start(specOf(one))
        assert.strictEqual(workload.image, one)
        yield* running.stop(workload.name, workload.id)

        const kept = (yield* running.images).filter(({ image }) => image === one)
        assert.lengthOf(kept, 1)
        yield* Effect.forEach(kept, running.removeImage)
        assert.strictEqual((yield* Effect.flip(running.start(specOf(one)))).reason, "image_gone")
        assert.deepStrictEqual(yield* made.left, nothing)
      })
    )

    it.live("INV-10 and never what begins with its name as an id", () =>
      Effect.gen(function* () {
        const made = yield* fetcher()
        const running = yield* runtime({ installation: made.installation })
        const victim = yield* running.buildOf(shell("exit 1"))
        const reference = ImageReference.make(victim.slice("sha256:".length, "sha256:".length + 12))
        const error = yield* Effect.flip(Effect.scoped(made.fetch({ type: "image", reference })))
        assert.include(["source_unreachable", "auth_failed", "ref_not_found"], error.reason)
      })
    )

    it.live("and source_unreachable or refused when nobody has it", () =>
      Effect.gen(function* () {
        const made = yield* fetcher()
        const reference = ImageReference.make("registry.invalid/nothing:1")
        const error = yield* Effect.flip(Effect.scoped(made.fetch({ type: "image", reference })))
        assert.deepStrictEqual([error.reason, error.detail.includes(reference)], ["source_unreachable", true])
      })
    )
  })
})
