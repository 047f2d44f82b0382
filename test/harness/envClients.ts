// Clients that change and read one Env over HTTP, and write down what they asked and heard. What a status says about whether
// something was done is decided here, and nowhere by the product.

import { assert } from "@effect/vitest"
import { EnvInput, envMap, EnvOutput, type EnvState } from "@lockkeeper/core/testing/envMap"
import * as History from "@lockkeeper/core/testing/History"
import type { HistoryCodec, SequentialModel } from "@lockkeeper/core/testing/SequentialModel"
import { Effect, Option, Schema } from "effect"
import { call, type Received } from "./http.ts"
import type { Server, Place } from "./server.ts"

/** A server that is asked. */
export type Asked = Pick<Server, "url"> & { readonly place: Place }

/** What is heard: an answer to a change does not say whether anything was different before. */
const HeardOutput = Schema.Union([EnvOutput, Schema.Struct({ type: Schema.Literal("accepted"), revision: Schema.Int })])

/** The type of {@link HeardOutput}. */
type HeardOutput = typeof HeardOutput.Type

/** An Env as it is seen over HTTP. */
export const envOverHttp: SequentialModel<EnvState, EnvInput, HeardOutput> & HistoryCodec<EnvInput, HeardOutput> = {
  input: EnvInput,
  output: HeardOutput,
  initial: envMap.initial,
  step: (state, input, heard) =>
    Option.match(heard, {
      onNone: () => envMap.step(state, input, Option.none()),
      onSome: (output) => meanings(output).flatMap((meaning) => envMap.step(state, input, Option.some(meaning)))
    }),
  fingerprint: envMap.fingerprint,
  isReadOnly: (input, heard) =>
    input.type === "read" || (Option.isSome(heard) && ["unchanged", "mismatch"].includes(heard.value.type)),
  describe: (input, heard) =>
    Option.isSome(heard) && heard.value.type === "accepted"
      ? `${envMap.describe(input, Option.none()).replace(/\?$/, "")}accepted, revision ${heard.value.revision}`
      : envMap.describe(input, Option.flatMap(heard, Option.liftPredicate(isMeant)))
}

/** What a client heard: an output, that certainly nothing was done, or nothing that it can rely on. */
export type Heard = History.Answer<HeardOutput>

/** Makes clients of the Env of one App that write down what they see. A server that goes away has given no answer. */
export const envClients = Effect.fnUntraced(function* (app: string) {
  const history = yield* History.make<EnvInput, HeardOutput>()
  const asks = (server: Asked, process: string, input: EnvInput): Effect.Effect<Heard> =>
    history
      .record(
        { key: app, process, input },
        Effect.flatMap(ask(server, app, input), (answer) =>
          answer.type === "ok" ? Effect.succeed(answer.output) : Effect.fail(answer)
        ),
        { success: (output) => output, failure: (answer) => answer }
      )
      .pipe(
        Effect.map((output): Heard => ({ type: "ok", output })),
        Effect.catch((answer) => Effect.succeed<Heard>(answer)),
        Effect.catchDefect((defect) =>
          defect instanceof TypeError ? Effect.succeed<Heard>({ type: "unknown" }) : Effect.die(defect)
        )
      )
  return { asks, operations: history.operations }
})

/** The clients of one Env. */
export type EnvClients = Effect.Success<ReturnType<typeof envClients>>

type Seen = History.Operation<EnvInput, HeardOutput>

/**
 * Fails unless what was seen is what the Revisions show when they happen one after the other, where each merge sets one key
 * that nobody else sets. With as many at once as this, no search would end; but the order of the changes is known.
 */
export const inOrder = (texts: ReadonlyArray<string>, operations: ReadonlyArray<Seen>): void => {
  const envs: ReadonlyArray<Readonly<Record<string, string>>> = texts.map((text) => JSON.parse(text))
  const answered = operations.flatMap((operation) => {
    const [{ outcome }, revision] = [operation, revisionOf(operation)]
    return outcome.type === "ok" && revision !== undefined
      ? [{ ...operation, returnedAt: outcome.returnedAt, revision }]
      : []
  })
  const least = (at: bigint): number =>
    Math.max(0, ...answered.filter(({ returnedAt }) => returnedAt < at).map(({ revision }) => revision))
  for (const { input, invokedAt, outcome, revision } of answered) {
    assert.isAtLeast(revision, least(invokedAt), "an answer is older than one that was given before it was asked for")
    if (input.type === "read" && outcome.type === "ok" && outcome.output.type === "read") {
      assert.deepStrictEqual(outcome.output.entries, envs[revision], `what was read at ${revision}`)
    }
  }
  for (const [key, own] of Map.groupBy(operations, ({ input }) =>
    input.type === "merge" ? Object.keys(input.changes)[0] : undefined
  )) {
    const [first] = own
    if (key === undefined || first === undefined) continue
    const made = envs.findIndex((env) => key in env)
    assert.isAbove(made, least(first.invokedAt), `${key} was there before it was asked for`)
  }
}

const revisionOf = ({ outcome }: Seen): number | undefined =>
  outcome.type === "ok" ? outcome.output.revision : undefined

const isMeant = (output: HeardOutput): output is EnvOutput => output.type !== "accepted"

const meanings = (output: HeardOutput): ReadonlyArray<EnvOutput> =>
  isMeant(output)
    ? [output]
    : [
        { type: "revised", revision: output.revision },
        { type: "unchanged", revision: output.revision }
      ]

const number = (received: Received, field: string): number => Number(received.fields[field])

const isRecord = Schema.is(Schema.Record(Schema.String, Schema.String))

const heard = (input: EnvInput, received: Received): Heard => {
  const { fields, status } = received
  const code = fields["code"]
  if (status === 412) return { type: "ok", output: { type: "mismatch", revision: number(received, "actual") } }
  if (status === 503 && code === "env_busy") return { type: "fail" }
  if (status === 503 && code === "store_unavailable") return { type: "unknown" }
  assert.strictEqual(status, 200, received.text)
  const revision = number(received, "revision")
  if (input.type !== "read") return { type: "ok", output: { type: "accepted", revision } }
  const { env } = fields
  return isRecord(env) ? { type: "ok", output: { type: "read", revision, entries: env } } : { type: "unknown" }
}

const ask = Effect.fnUntraced(function* (server: Asked, app: string, input: EnvInput) {
  const path = `/v1/apps/${app}/env`
  if (input.type === "read") return heard(input, yield* call(server, `${path}?reveal=true`))
  if (input.type === "replace") return yield* Effect.die(new Error("there is no such route yet"))
  const { changes, expectedRevision } = input
  const headers = expectedRevision === undefined ? {} : { "if-match": `"${expectedRevision}"` }
  return heard(input, yield* call(server, path, { method: "PATCH", body: { env: changes }, headers }))
})
