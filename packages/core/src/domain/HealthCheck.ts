// How a new version shows that it serves. Not here: the probing itself (the HealthProbe port).
import { Schema } from "effect"

/**
 * With a `path`, an HTTP GET that must answer 2xx or 3xx; without, a TCP connection. Asked every `intervalMillis` until
 * it passes or `timeoutSeconds` are over.
 */
export const HealthCheck = Schema.Struct({
  path: Schema.optionalKey(
    Schema.String.check(Schema.isMaxLength(1024), Schema.isPattern(/^\/[\x21-\x22\x24-\x7e]*$/))
  ),
  intervalMillis: Schema.Int.check(Schema.isBetween({ minimum: 50, maximum: 60_000 })),
  timeoutSeconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3_600 }))
})

/** The type of {@link HealthCheck}. */
export interface HealthCheck extends Schema.Schema.Type<typeof HealthCheck> {}

/** A TCP connection, tried every half second for a minute. */
export const defaultHealthCheck: HealthCheck = { intervalMillis: 500, timeoutSeconds: 60 }
