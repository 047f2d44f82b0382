// What may stand in a path of the engine's API. The client library pastes references into URLs as they are and follows
// redirects, so that a wrong one reaches another object or ends the process: each is checked before.

import { Schema } from "effect"

/** The id of a container, a network or an exec, as the engine gives it. */
export const EngineId = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(Schema.brand("EngineId"))

/** The type of {@link EngineId}. */
export type EngineId = typeof EngineId.Type

/** The name of a container, a network or a volume. */
export const ObjectName = Schema.String.check(Schema.isPattern(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/)).pipe(
  Schema.brand("ObjectName")
)

/** The type of {@link ObjectName}. */
export type ObjectName = typeof ObjectName.Type
