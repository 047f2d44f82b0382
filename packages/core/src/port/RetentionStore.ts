// Removes what is older than the table of Retention allows, a bounded part at a time, and says how much there is of each class.
// Its in-memory meaning is in memoryRetention.ts.
import { Context, Effect, Layer } from "effect"
import type { RetentionKind, RetentionTerms, RetentionUsage, SweepKind } from "../domain/Retention.ts"
import { makeMemoryRetention } from "./memoryRetention.ts"
import { MemoryState } from "./MemoryState.ts"
import type { StoreError } from "./StoreError.ts"

/** Sweeps what the other stores keep. */
export class RetentionStore extends Context.Service<
  RetentionStore,
  {
    /**
     * Removes at most about `limit` things of a class that are older than its terms allow and that nothing holds, and answers how
     * many; 0 when there are none. A thing goes with all that belongs to it or not at all. Any number of Replicas may do so
     * at once: what somebody else has in hand is passed over.
     */
    readonly sweep: (kind: SweepKind, terms: RetentionTerms, limit: number) => Effect.Effect<number, StoreError>
    /** How much there is of each class now, as far as that is known without counting. */
    readonly usage: Effect.Effect<{ readonly [K in RetentionKind]: RetentionUsage }, StoreError>
  }
>()("@lockkeeper/core/port/RetentionStore") {
  /** Sweeps what is in memory. */
  static readonly layerMemory: Layer.Layer<RetentionStore, never, MemoryState> = Layer.effect(
    RetentionStore,
    Effect.map(MemoryState, (state) => RetentionStore.of(makeMemoryRetention(state)))
  )
}
