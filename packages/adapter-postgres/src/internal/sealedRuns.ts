// What is secret of a Run as sealed bytes: its Topology with the variables of its nodes and the keys of their Sources, and the
// Credentials that were made for it. Beside them the row has the Topology without its secrets.

import type { RunId } from "@lockkeeper/core/domain/Run"
import { NodeName, Topology } from "@lockkeeper/core/domain/Topology"
import type { RunClaim } from "@lockkeeper/core/port/RunRequest"
import type { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Effect, Redacted, Schema } from "effect"

const TopologyText = Schema.fromJsonString(Topology)
const CredentialsText = Schema.fromJsonString(
  Schema.Array(Schema.Tuple([NodeName, Schema.RedactedFromValue(Schema.String)]))
)

type Credentials = RunClaim["credentials"]

const topologyPlace = (run: RunId): string => `run/${run}/topology`

const credentialsPlace = (run: RunId): string => `run/${run}/credentials`

/** The reason why something does not parse would hold what does not parse: it is left out. */
const corrupt = (place: string) =>
  new StoreError({ operation: "RunStore", reason: "corrupt", cause: new Error(`${place} is not what it should be`) })

/** Seals and opens what is secret of Runs. */
export const sealedRuns = (cipher: typeof SecretCipher.Service) => {
  const sealed = (place: string, text: Effect.Effect<string, Schema.SchemaError>) =>
    Effect.flatMap(
      Effect.mapError(text, () => corrupt(place)),
      (text) => cipher.seal(Redacted.make(text), place)
    )

  const opened = Effect.fnUntraced(function* <A>(
    place: string,
    bytes: Uint8Array,
    parsed: (text: string) => Effect.Effect<A, Schema.SchemaError>
  ) {
    const text = yield* cipher.open(bytes, place)
    return yield* Effect.mapError(parsed(Redacted.value(text)), () => corrupt(place))
  })

  return {
    sealTopology: (run: RunId, topology: Topology) =>
      sealed(topologyPlace(run), Schema.encodeEffect(TopologyText)(topology)),

    /** The Topology; without its secrets, once these were erased. */
    openTopology: (run: RunId, bytes: Uint8Array | null, open: Topology) =>
      bytes === null ? Effect.succeed(open) : opened(topologyPlace(run), bytes, Schema.decodeEffect(TopologyText)),

    sealCredentials: (run: RunId, credentials: Credentials) =>
      sealed(credentialsPlace(run), Schema.encodeEffect(CredentialsText)([...credentials])),

    /** The Credentials; none, before they were made and once they were erased. */
    openCredentials: (run: RunId, bytes: Uint8Array | null) =>
      bytes === null
        ? Effect.succeed(new Map<NodeName, Redacted.Redacted<string>>())
        : Effect.map(
            opened(credentialsPlace(run), bytes, Schema.decodeEffect(CredentialsText)),
            (pairs) => new Map(pairs)
          )
  }
}
