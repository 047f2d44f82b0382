// Tells somebody outside of one Event, once. In which order, how often and for how long is the business of `deliver`.
import { Context, Effect, Layer, Schema } from "effect"
import type { Event } from "../domain/Event.ts"
import { MemoryState } from "./MemoryState.ts"

/**
 * A Subscriber has not taken an Event, or not said so. `refused`: it does not want this one, and will hardly ever;
 * `unavailable`: it is away, busy or broken. `detail` shows nothing of a secret, nor of what it said.
 */
export class SubscriberError extends Schema.TaggedError<SubscriberError>()("SubscriberError", {
  reason: Schema.Literals(["refused", "unavailable"]),
  detail: Schema.String
}) {
  override readonly message = `the subscriber is ${this.reason === "refused" ? "unwilling" : "unavailable"}: ${this.detail}`
}

/** Somebody who is told of Events. */
export class Subscriber extends Context.Service<
  Subscriber,
  {
    /** Succeeds when it has taken the Event. One try, over within half a minute; it may get the same Event again. */
    readonly deliver: (event: Event) => Effect.Effect<void, SubscriberError>
  }
>()("@lockkeeper/core/port/Subscriber") {
  /** A Subscriber in memory: it is told of everything and takes it, unless the state says that it ails. */
  static readonly layerMemory: Layer.Layer<Subscriber, never, MemoryState> = Layer.effect(
    Subscriber,
    Effect.map(MemoryState, ({ told }) => {
      const deliver = Effect.fnUntraced(function* (event: Event) {
        told.events.push(event)
        if (told.ailment === "refusal") return yield* new SubscriberError({ reason: "refused", detail: "it was a 400" })
        if (told.ailment === undefined) return
        const silent = told.ailment === "silence"
        if (silent) yield* Effect.sleep("10 seconds")
        return yield* new SubscriberError({ reason: "unavailable", detail: silent ? "no answer" : "it was a 500" })
      })
      return Subscriber.of({ deliver })
    })
  )
}
