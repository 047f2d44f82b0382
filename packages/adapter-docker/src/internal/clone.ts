// Fetches a Git repository in a container that can do nothing else: no capabilities, a read-only root, `nobody` as its user.
// The key goes from standard input into the memory of an agent there, and nowhere else.

import { type GitSource, isSshUrl } from "@lockkeeper/core/domain/Source"
import * as Git from "@lockkeeper/core/port/gitCommand"
import { fetchGit, type GitRunner } from "@lockkeeper/core/port/gitFetch"
import { SourceError } from "@lockkeeper/core/port/SourceFetcher"
import type { Commit } from "@lockkeeper/core/domain/Source"
import type Dockerode from "dockerode"
import { Effect, Redacted, type Scope } from "effect"
import type { Readable } from "node:stream"
import * as Commands from "./commands.ts"
import * as Containers from "./containers.ts"
import type { EngineError } from "./EngineError.ts"
import { startHelper } from "./helpers.ts"
import type { Owner } from "./labels.ts"
import type { EngineId } from "./references.ts"

/** What a clone is made with. */
export interface CloneContext {
  readonly docker: Dockerode
  readonly owner: Owner
  readonly image: string
  readonly lifetimeSeconds: number
}

/** What was fetched: the commit, and its files as a tar stream below one directory. */
export interface Cloned {
  readonly commit: Commit
  readonly files: Readable
}

// The disk is mounted where every image has a directory that anybody may write to, so that `nobody` may.
const disk = "/tmp"
const memory = "/run/lockkeeper"
const places: Git.GitPlaces = { repository: `${disk}/repository`, tree: `${disk}/tree`, home: memory }
const knownHosts = `${memory}/known_hosts`
const agent = `${memory}/agent`
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/** Whether an address leads to this host itself, which from another network it would not. */
const isLoopback = (url: string): boolean =>
  /^(?:https?:\/\/|ssh:\/\/[^@]*@|[^@/]*@)(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?:[:/]|$)/i.test(url)

/** Clones. The container and its disk are gone when the Scope closes. */
export const clone = Effect.fnUntraced(function* (
  { docker, image, lifetimeSeconds, owner }: CloneContext,
  source: GitSource
): Effect.fn.Return<Cloned, SourceError, Scope.Scope> {
  const withKey = isSshUrl(source.url) && source.deployKey !== undefined
  const waiting = withKey ? ["ssh-agent", "-D", "-a", agent] : ["sleep", String(lifetimeSeconds)]
  const container = yield* startHelper(docker, owner, {
    image,
    command: ["timeout", String(lifetimeSeconds), ...waiting],
    environment: {},
    network: isLoopback(source.url) ? "host" : "bridge",
    target: disk,
    memory,
    lifetimeSeconds
  }).pipe(Effect.mapError(unreachable))

  const run = runnerOf(docker, container)
  if (isSshUrl(source.url)) yield* prepareSsh(run, source)
  const ssh = isSshUrl(source.url) ? { knownHosts, key: withKey ? { agent } : undefined } : undefined
  const environment = Git.environment(places, path, ssh)
  const runner: GitRunner = {
    places,
    run: (args) => run({ argv: ["git", ...args], environment }),
    clear: Effect.asVoid(run({ argv: ["rm", "-rf", places.repository] }))
  }
  yield* run({ argv: ["mkdir", "-p", places.tree] })
  const commit = yield* fetchGit(source, runner)
  const files = yield* Effect.mapError(Containers.files(docker, container, places.tree), unreachable)
  return { commit, files }
})

type Run = (command: Commands.ContainerCommand) => Effect.Effect<Commands.CommandEnded, SourceError>

const runnerOf =
  (docker: Dockerode, container: EngineId): Run =>
  (command) =>
    Effect.mapError(Commands.run(docker, container, command), unreachable).pipe(
      Effect.filterOrFail(
        ({ code }) => code !== 126 && code !== 127,
        () => failed("source_unreachable", `the clone image has no ${command.argv[0]}`)
      )
    )

/** Writes down the pinned hosts, and hands the key to the agent as soon as that listens. */
const prepareSsh = Effect.fnUntraced(function* (run: Run, { deployKey, knownHosts: pinned = "" }: GitSource) {
  const asLines = (text: string): string => `${text.replaceAll("\r\n", "\n").trimEnd()}\n`
  yield* run({ argv: ["sh", "-c", `umask 077; cat > ${knownHosts}`], input: Redacted.make(asLines(pinned)) })
  if (deployKey === undefined) return
  yield* run({ argv: ["sh", "-c", `until [ -S ${agent} ]; do sleep 0.05; done`] })
  const { code } = yield* run({
    argv: ["ssh-add", "-q", "-"],
    environment: { SSH_AUTH_SOCK: agent, SSH_ASKPASS_REQUIRE: "never", HOME: memory, PATH: path },
    input: Redacted.make(asLines(Redacted.value(deployKey)))
  })
  if (code !== 0) {
    return yield* failed("auth_failed", "the deploy key cannot be used: it is damaged or has a passphrase")
  }
})

const failed = (reason: SourceError["reason"], detail: string): SourceError => new SourceError({ reason, detail })

const unreachable = ({ detail }: EngineError): SourceError =>
  failed("source_unreachable", `the source could not be fetched: ${detail}`)
