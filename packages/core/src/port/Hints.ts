// Hints that something may have changed, so that who polls looks at once. They make waiting short and carry nothing: every
// program does the same, a little later, when all of them are lost.
import { Context, type Duration, Effect, Layer, PubSub, Schema, type Scope } from "effect"

/**
 * What may have changed. `deployments`: one was queued, or a Slot is free; `jobs`: the same for other Jobs, or one ended; `stops`: one was asked to stop;
 * `apps`: one is to be taken down; `events`: there is a new Event.
 */
export const HintTopic = Schema.Literals(["deployments", "jobs", "stops", "apps", "events"])

/** The type of {@link HintTopic}. */
export type HintTopic = typeof HintTopic.Type

/** Waits for the first Hint since the last wait, or since listening began, and at most this long. */
export interface HintWait {
  (atMost: Duration.Input): Effect.Effect<void>
}

/** Gives Hints and hears those that any replica gives. */
export class Hints extends Context.Service<
  Hints,
  {
    /** Says that something may have changed. Never fails, and waits for nobody: not for those who listen, not for a database. */
    readonly give: (topic: HintTopic) => Effect.Effect<void>
    /** Hears Hints for as long as the Scope lasts. Those that come between two waits end the second one at once, together. */
    readonly listen: (topic: HintTopic) => Effect.Effect<HintWait, never, Scope.Scope>
  }
>()("@lockkeeper/core/port/Hints") {
  /** Hints within one process. */
  static readonly makeMemory: Effect.Effect<Hints["Service"]> = Effect.gen(function* () {
    const topics = {
      deployments: yield* PubSub.sliding<void>(1),
      jobs: yield* PubSub.sliding<void>(1),
      stops: yield* PubSub.sliding<void>(1),
      apps: yield* PubSub.sliding<void>(1),
      events: yield* PubSub.sliding<void>(1)
    }
    return Hints.of({
      give: (topic) => Effect.asVoid(PubSub.publish(topics[topic], undefined)),
      listen: (topic) =>
        Effect.map(
          PubSub.subscribe(topics[topic]),
          (heard) => (atMost) => Effect.asVoid(Effect.timeoutOption(PubSub.take(heard), atMost))
        )
    })
  })

  /** Hints within one process: all that a server needs which is alone, or whose replicas find out by polling. */
  static readonly layerMemory: Layer.Layer<Hints> = Layer.effect(Hints, Hints.makeMemory)
}
