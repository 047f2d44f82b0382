// What a server does that was given retired keys: seals again under its own key, and tells the operator when the others may
// go. `docs/rotate-keys.md` says in which order.
import { Effect, Schedule } from "effect"
import { type RotatedSecrets, rotateSecrets } from "@lockkeeper/core/program/rotateSecrets"
import { ready } from "./installation.ts"

const run = rotateSecrets().pipe(
  Effect.tapError((error) => Effect.logWarning("secrets are not sealed again yet", error)),
  Effect.retry(Schedule.spaced("5 seconds")),
  Effect.orDie,
  Effect.tap((seen) => tell(seen))
)

/** Runs until nothing is left that could be sealed again. */
export const rotated = Effect.andThen(
  ready,
  Effect.repeat(run, { until: ({ left, unreadable }) => left <= unreadable, schedule: Schedule.spaced("1 minute") })
)

const tell = ({ examples, left, resealed, unreadable }: RotatedSecrets) => {
  if (unreadable > 0) {
    const places = examples.slice(0, 20).map(({ place, reason }) => `${place} (${reason})`)
    return Effect.logError(
      `${unreadable} secrets open under none of the keys and stay as they are; keep every key: ${places.join(", ")}${unreadable > places.length ? ", …" : ""}`
    )
  }
  return left > 0
    ? Effect.logWarning(`${left} secrets are still sealed under a retired key; the next try is in a minute`)
    : Effect.logInfo(
        `all secrets are sealed under the key of this server, ${resealed} of them anew: once every server on this database seals under it, the retired keys may go`
      )
}
