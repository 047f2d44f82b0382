// Brings an Artifact onto this machine, in the same steps wherever its bytes come from and go to: nothing is in its place
// before its sum was found right. Not here: sockets and files, which an adapter gives.
import { Duration, Effect, Schedule, Schema, type Scope } from "effect"
import type { ArchiveUrl, Sha256 } from "../domain/Source.ts"

/**
 * An Artifact was not fetched, and nothing of it is left. `detail` is a clause for a person. Tried again, and still so:
 * `unreachable`, `unavailable` (502, 503, 504), `ended_early`. At once: `denied` (401, 403), `refused` (any other answer, a
 * redirect to another scheme), `wrong_sum`, `too_large`, `not_written` (the disk). In any case: `too_late`.
 */
export class ArtifactError extends Schema.TaggedError<ArtifactError>()("ArtifactError", {
  reason: Schema.Literals([
    "unreachable",
    "unavailable",
    "ended_early",
    "denied",
    "refused",
    "wrong_sum",
    "too_large",
    "not_written",
    "too_late"
  ]),
  detail: Schema.String
}) {
  override readonly message = `the artifact could not be fetched: ${this.detail}`
}

/** What to fetch, and the path of the file that it is to be. `deadline` is for all tries together: 10 minutes. */
export interface ArtifactRequest {
  readonly url: ArchiveUrl
  readonly sha256: Sha256
  readonly file: string
  readonly limitBytes: number
  readonly deadline?: Duration.Input | undefined
}

/** What a server answered: to where it redirects, if it does, and its bytes, one part after the other, undefined at the end. */
export interface ArtifactAnswer {
  readonly status: number
  readonly location: string | undefined
  readonly next: Effect.Effect<Uint8Array | undefined, ArtifactError>
}

/** A file on its way: private, and removed when its Scope closes unless it was kept. */
export interface ArtifactFile {
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, ArtifactError>
  /** The sum of all that was written. */
  readonly sum: Effect.Effect<Sha256>
  /** Puts it in its place, in one step. */
  readonly keep: Effect.Effect<void, ArtifactError>
}

/** Who has sockets and files. An interruption ends what is under way before it is answered. */
export interface ArtifactRunner {
  /** Asks for a URL; the socket is closed when the Scope is. Redirects are not followed. */
  readonly ask: (url: URL) => Effect.Effect<ArtifactAnswer, ArtifactError, Scope.Scope>
  /** A new file, whose name nobody else has, for what is to be `path`. */
  readonly draft: (path: string) => Effect.Effect<ArtifactFile, ArtifactError, Scope.Scope>
}

/** How often an Artifact is tried for, and how many redirects are followed in each try. */
export const artifactLimits = { tries: 3, redirects: 5 } as const

/**
 * Fetches an Artifact to its place, where it is complete and has its sum or is not at all. What may pass is tried again, at
 * most three times in all, after pauses that double from 200 ms, jittered. An interruption closes the socket and leaves
 * nothing.
 */
export const fetchArtifact = Effect.fn("fetchArtifact")(function* (
  request: ArtifactRequest,
  runner: ArtifactRunner
): Effect.fn.Return<void, ArtifactError> {
  const deadline = Duration.fromInputUnsafe(request.deadline ?? "10 minutes")
  yield* Effect.scoped(attempt(request, runner)).pipe(
    Effect.retry({
      while: mayPass,
      times: artifactLimits.tries - 1,
      schedule: Schedule.jittered(Schedule.exponential("200 millis"))
    }),
    Effect.timeoutOrElse({
      duration: deadline,
      orElse: () => failed("too_late", `it took longer than ${Duration.format(deadline)}`)
    })
  )
})

const mayPass = ({ reason }: ArtifactError): boolean =>
  reason === "unreachable" || reason === "unavailable" || reason === "ended_early"

const failed = (reason: ArtifactError["reason"], detail: string) => Effect.fail(new ArtifactError({ reason, detail }))

const attempt = Effect.fnUntraced(function* (
  request: ArtifactRequest,
  runner: ArtifactRunner
): Effect.fn.Return<void, ArtifactError, Scope.Scope> {
  if (!URL.canParse(request.url)) return yield* failed("refused", "its address is none")
  const file = yield* runner.draft(request.file)
  let url: URL | undefined = new URL(request.url)
  for (let redirects = 0; url !== undefined; redirects++) {
    if (redirects > artifactLimits.redirects) {
      return yield* failed("refused", `there were more than ${artifactLimits.redirects} redirects`)
    }
    url = yield* Effect.scoped(visit(url, file, request.limitBytes, runner))
  }
  const sum = yield* file.sum
  if (sum !== request.sha256) {
    return yield* failed("wrong_sum", `it has the SHA-256 ${sum} instead of ${request.sha256}`)
  }
  yield* file.keep
})

/** Takes what there is at a URL, or answers where it is. */
const visit = Effect.fnUntraced(function* (
  url: URL,
  file: ArtifactFile,
  limitBytes: number,
  runner: ArtifactRunner
): Effect.fn.Return<URL | undefined, ArtifactError, Scope.Scope> {
  const { location, next, status } = yield* runner.ask(url)
  if (status !== 200) return yield* targetOf(url, status, location)

  let bytes = 0
  for (let part = yield* next; part !== undefined; part = yield* next) {
    bytes += part.length
    if (bytes > limitBytes) return yield* failed("too_large", `it is larger than ${limitBytes} bytes`)
    yield* file.write(part)
  }
  return undefined
})

const redirects: ReadonlyArray<number> = [301, 302, 303, 307, 308]
const unavailable: ReadonlyArray<number> = [502, 503, 504]

/** Where an answer without an Artifact leads: by the same scheme, and without credentials, or nowhere. */
const targetOf = (from: URL, status: number, location: string | undefined): Effect.Effect<URL, ArtifactError> => {
  if (status === 401 || status === 403) return failed("denied", `${from.host} refused it with status ${status}`)
  if (!redirects.includes(status)) {
    const reason = unavailable.includes(status) ? "unavailable" : "refused"
    return failed(reason, `${from.host} answered with status ${status}`)
  }
  const target = location !== undefined && URL.canParse(location, from.href) ? new URL(location, from.href) : undefined
  if (target === undefined) return failed("refused", `${from.host} redirects to nowhere`)
  if (target.protocol !== from.protocol) return failed("refused", `${from.host} redirects to another scheme`)
  if (target.username !== "" || target.password !== "") {
    return failed("refused", `${from.host} redirects with credentials`)
  }
  return Effect.succeed(target)
}
