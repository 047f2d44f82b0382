// What is wrong with the request for a Run. A part of the problems of the API (Problems.ts).
import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"
import { RunStatus } from "@lockkeeper/core/domain/Run"
import { members, urn } from "./Problems.ts"

/** 400: the parts of the topology do not fit together; `node` is where. */
export class InvalidTopology extends HttpApiError.Problem<InvalidTopology>()(
  "InvalidTopology",
  { type: urn("invalid_topology"), status: 400, title: "Invalid Topology" },
  { ...members("invalid_topology"), node: Schema.String, reason: Schema.String }
) {}

/** 400: the image of a node has no version: it may be another one tomorrow. */
export class MutableImage extends HttpApiError.Problem<MutableImage>()(
  "MutableImage",
  { type: urn("mutable_image"), status: 400, title: "Mutable Image" },
  { ...members("mutable_image"), node: Schema.String }
) {}

/** 409: no block of addresses is free for the nodes; nothing was made. */
export class PoolExhausted extends HttpApiError.Problem<PoolExhausted>()(
  "PoolExhausted",
  { type: urn("pool_exhausted"), status: 409, title: "Pool Exhausted" },
  members("pool_exhausted")
) {}

/** 422: the server makes no Runs of this target; `known` are those that it makes. */
export class UnknownTarget extends HttpApiError.Problem<UnknownTarget>()(
  "UnknownTarget",
  { type: urn("unknown_target"), status: 422, title: "Unknown Target" },
  { ...members("unknown_target"), known: Schema.Array(Schema.String) }
) {}

/** 400: a Run is kept for so long ahead and no longer. `limit` is hours. */
export class KeepTooLong extends HttpApiError.Problem<KeepTooLong>()(
  "KeepTooLong",
  { type: urn("keep_too_long"), status: 400, title: "Keep Too Long" },
  { ...members("keep_too_long"), limit: Schema.Int }
) {}

/** 409: the Run has ended, or is about to and kept no longer. */
export class RunAlreadyTerminal extends HttpApiError.Problem<RunAlreadyTerminal>()(
  "RunAlreadyTerminal",
  { type: urn("already_terminal"), status: 409, title: "Already Terminal" },
  { ...members("already_terminal"), runStatus: RunStatus }
) {}
