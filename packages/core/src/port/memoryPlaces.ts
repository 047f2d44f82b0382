// What the memory Provider has made of Runs, and what a test says of nodes and steps. Not here: what it does (memoryProvider.ts).
import type { Latch } from "effect"
import type { RunId } from "../domain/Run.ts"
import type { ImageReference } from "../domain/Source.ts"
import type { Subnet } from "../domain/Subnet.ts"
import type { NodeName, ResultFile } from "../domain/Topology.ts"
import type { ImageDigest } from "../domain/Workload.ts"
import type { NodePlace, NodeSpec, NodeState, RunOwner } from "./Provider.ts"

/** A node that was started. */
export interface NodeRow {
  readonly spec: NodeSpec
  readonly place: NodePlace
  state: NodeState
}

/** What there is of a Run. */
export interface PlaceRow {
  readonly owner: RunOwner
  readonly subnet: Subnet | null
  readonly nodes: Map<NodeName, NodeRow>
  /** What its steps that go on are about. */
  readonly marks: Set<string>
  /** Opened once nothing is left, for steps that go on. */
  readonly removed: Latch.Latch
}

/** Everything of all Runs. */
export interface PlaceTables {
  readonly places: Map<RunId, PlaceRow>
  /** What image references lead to. */
  readonly references: Map<ImageReference, ImageDigest>
  /** What is wrong with nodes of this name, in every Run: they cannot be started, exit at once, or do not serve. */
  readonly ailments: Map<NodeName, "refusal" | "exit" | "failure" | "silence">
  /** What steps leave in the result file of this name. */
  readonly resultFiles: Map<ResultFile, Uint8Array>
}

/** Nothing of any Run. */
export const noPlaces = (): PlaceTables => ({
  places: new Map(),
  references: new Map(),
  ailments: new Map(),
  resultFiles: new Map()
})
