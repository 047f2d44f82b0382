// Named places at which a test can make the effect there fail, hang, lose its answer or lose its whole process. Adapters
// put one around each thing that they do to the world. Nobody listens in production, and then a point is one look into
// the fiber's context.
import { Context, Effect } from "effect"

/**
 * What becomes of the effect at a point: it answers what to do in its place. `refuse` is the effect's own way of failing,
 * and absent where it has none.
 */
export interface FailpointReaction {
  <A, E, R>(
    point: string,
    effect: Effect.Effect<A, E, R>,
    refuse: Effect.Effect<never, E> | undefined
  ): Effect.Effect<A, E, R>
}

/** Who is asked at every point that is reached by the fibers that have it in their context; nobody unless a test says so. */
export const Failpoints: Context.Reference<FailpointReaction | undefined> = Context.Reference<
  FailpointReaction | undefined
>("@lockkeeper/core/port/Failpoints", { defaultValue: () => undefined })

/**
 * Makes an effect one that a test can interfere with. The name is `technology.what`, such as `docker.create`; the same
 * point may be reached many times. `refuse` is how the effect fails when the technology is away.
 */
export const failpoint = <A, E, R>(
  point: string,
  effect: Effect.Effect<A, E, R>,
  refuse?: Effect.Effect<never, E>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Failpoints, (react) => (react === undefined ? effect : react(point, effect, refuse)))
