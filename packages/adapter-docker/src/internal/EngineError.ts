// What the engine's answers mean. Told by status first: the words differ between versions, and the client library's own
// guess is wrong for some. Messages can quote what a tenant wrote, never a secret: no secret is ever in a path or a name.

import { Predicate, Schema } from "effect"

/** Why a call did not do what it was asked. `unreachable` and `timed_out` leave open what the engine did. */
export const EngineReason = Schema.Literals([
  "not_found",
  "image_not_found",
  "conflict",
  "removal_in_progress",
  "in_use",
  "invalid",
  "overlap",
  "address_in_use",
  "port_in_use",
  "already",
  "bad_command",
  "denied",
  "registry",
  "disk_full",
  "unreachable",
  "timed_out",
  "unexpected"
])

/** The type of {@link EngineReason}. */
export type EngineReason = typeof EngineReason.Type

/** A call to the engine failed. */
export class EngineError extends Schema.TaggedError<EngineError>()("EngineError", {
  operation: Schema.String,
  reason: EngineReason,
  detail: Schema.String
}) {
  override readonly message = `${this.operation}: ${this.detail}`
}

/** Whether a call failed because what it is about is not there. */
export const isAbsent = ({ reason }: EngineError): boolean => reason === "not_found" || reason === "image_not_found"

const unreachableCodes =
  /^(?:ENOENT|ECONNREFUSED|ECONNRESET|EPIPE|EACCES|EPERM|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ERR_STREAM_PREMATURE_CLOSE)$/

const byWords: ReadonlyArray<readonly [EngineReason, RegExp]> = [
  ["disk_full", /no space left on device/i],
  ["removal_in_progress", /removal of container .* is already in progress/i],
  ["overlap", /pool overlaps/i],
  ["port_in_use", /port is already allocated|bind: address already in use/i],
  ["address_in_use", /address already in use/i],
  ["bad_command", /executable file not found|no such file or directory: unknown|permission denied: unknown/i],
  ["denied", /pull access denied|unauthorized|authentication required|no basic auth/i],
  ["image_not_found", /no such image|manifest .*(?:not found|unknown)|manifest unknown/i],
  ["registry", /dial tcp|no such host|TLS handshake|toomanyrequests|context deadline exceeded|x509/i],
  ["in_use", /has active endpoints|is being used|volume is in use|is using/i],
  ["invalid", /^invalid |dockerfile parse error|cannot locate specified dockerfile/i]
]

const byStatus: Readonly<Record<number, EngineReason>> = {
  304: "already",
  400: "invalid",
  404: "not_found",
  409: "conflict"
}

/** What words of the engine mean; undefined where they say nothing that is known. */
export const reasonOf = (message: string): EngineReason | undefined =>
  byWords.find(([, pattern]) => pattern.test(message))?.[0]

/** The words of the engine in one line, as far as they are fit to be shown. */
export const oneLine = (message: string): string =>
  message
    .replace(/^\(HTTP code \d+\) [^-]*- /, "")
    .replaceAll(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(0, 500)

const property = (value: unknown, name: string): unknown =>
  Predicate.hasProperty(value, name) ? value[name] : undefined

const messageOf = (cause: unknown): string => {
  const told = property(property(cause, "json"), "message")
  const message = Predicate.isString(told) ? told : property(cause, "message")
  return oneLine(Predicate.isString(message) ? message : String(cause))
}

/** The typed reason of whatever the client library threw. */
export const engineError = (operation: string, cause: unknown): EngineError => {
  if (cause instanceof EngineError) return cause
  const status = property(cause, "statusCode")
  const detail = messageOf(cause)
  if (Predicate.isNumber(status)) {
    return new EngineError({ operation, reason: reasonOf(detail) ?? byStatus[status] ?? "unexpected", detail })
  }
  const code = property(cause, "code")
  const isAway =
    (Predicate.isString(code) && unreachableCodes.test(code)) || /socket hang up|aborted|premature close/i.test(detail)
  return isAway
    ? new EngineError({ operation, reason: "unreachable", detail: `the engine does not answer (${String(code)})` })
    : new EngineError({ operation, reason: "unexpected", detail })
}
