// Many clients change one Env through two servers on one database, one of which is killed meanwhile: whatever was
// acknowledged is there, once and at the Revision that was told, and all that was seen is what one server would have shown.

import { assert, layer, vi } from "@effect/vitest"
import { AppId, AppName } from "@lockkeeper/core/domain/App"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import { freshLetters } from "@lockkeeper/core/testing/Fixture"
import { linearizable } from "@lockkeeper/core/testing/linearizable"
import { Effect, Random } from "effect"
import { describeWith } from "../harness/capability.ts"
import { type Asked, type EnvClients, envClients, envOverHttp, inOrder } from "../harness/envClients.ts"
import { EnvReplicas } from "../harness/envReplicas.ts"
import { replayed } from "../harness/envReplay.ts"
import { soak } from "../harness/sample.ts"

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 })

type Kill = "is killed before" | "is killed after"

/** What writes a batch, whether as one statement or in a transaction. */
const point = "postgres.EnvStore.revise"

/** An App whose Env many change, and what is known of it at the end. */
const subject = Effect.gen(function* () {
  const { second, stores } = yield* EnvReplicas
  const name = (yield* freshLetters).slice(0, 12)
  const { body } = yield* second.client.apps.create({
    payload: { tenant: TenantName.make("merges"), name: AppName.make(name) }
  })
  const app = AppId.make(body.id)
  const clients = yield* envClients(app)
  const end = Effect.gen(function* () {
    yield* clients.asks(second, "end", { type: "read" })
    const operations = yield* clients.operations
    const unanswered = operations.filter(({ outcome }) => outcome.type === "unknown").length
    return { ...(yield* Effect.provideContext(replayed(app), stores)), operations, unanswered }
  })
  return { clients, end }
})

/** Merges one key until that is acknowledged: at the other server when the first one does not answer. */
const acknowledged = Effect.fnUntraced(function* ({ asks }: EnvClients, servers: ReadonlyArray<Asked>, index: number) {
  const input = { type: "merge", changes: { [`KEY_${index}`]: `value ${index}` } } as const
  for (const [tries, server] of servers.entries()) {
    const answer = yield* asks(server, `writer-${index}-${tries}`, input)
    if (answer.type === "ok" && answer.output.type === "accepted") return answer.output.revision
  }
  return assert.fail(`writer ${index} was never acknowledged`)
})

/** So many clients at once, each with a key of its own; one server is killed around its first batch. */
const keepsAll = Effect.fnUntraced(function* (writers: number, fault: Kill) {
  const { first, second } = yield* EnvReplicas
  const { clients, end } = yield* subject
  yield* first.obey({ point: `${point}#2`, fault })
  const revisions = yield* Effect.forEach(
    Array.from({ length: writers }).keys(),
    (index) => {
      const servers = index % 2 === 0 ? [first, second, second] : [second, second, second]
      return acknowledged(clients, servers, index)
    },
    { concurrency: "unbounded" }
  )

  const { batches, operations, texts, unanswered } = yield* end
  const envs: ReadonlyArray<Readonly<Record<string, string>>> = texts.map((text) => JSON.parse(text))
  for (const [index, revision] of revisions.entries()) {
    const values = [envs[revision]?.[`KEY_${index}`], envs.at(-1)?.[`KEY_${index}`]]
    assert.deepStrictEqual(values, [`value ${index}`, `value ${index}`])
  }
  assert.strictEqual(texts.length - 1, writers, "a Revision for each change, and no other")
  inOrder(texts, operations)
  assert.isAtLeast(unanswered, 1, "nobody noticed the kill")
  assert.isBelow(batches, writers, "none were written together")
  soak.count("merges at once over two servers", { merges: writers, "without an answer": unanswered, batches })
})

const names = ["A", "B", "C", "D"] as const

/** What one client does next: it reads, or merges some keys, perhaps only at the Revision that it saw last. */
const nextInput = Effect.fnUntraced(function* (seen: number) {
  const dice = yield* Random.next
  if (dice < 0.3) return { type: "read" } as const
  const changes: Record<string, string | null> = {}
  for (let count = yield* Random.nextIntBetween(1, 3); count > 0; count--) {
    const value = yield* Random.nextIntBetween(0, 1_000_000)
    changes[yield* Effect.orDie(Random.choice(names))] = value % 5 === 0 ? null : String(value)
  }
  return dice < 0.8
    ? ({ type: "merge", changes, expectedRevision: seen } as const)
    : ({ type: "merge", changes } as const)
})

/** Clients that do this and that; one server is killed half-way, and its clients go on at the other one. */
const looksSerial = Effect.fnUntraced(function* (count: number, fault: Kill) {
  const { first, second } = yield* EnvReplicas
  const { clients, end } = yield* subject
  let left = count
  const client = Effect.fnUntraced(function* (index: number) {
    let [server, seen, tries] = [index % 2 === 0 ? first : second, 0, 0]
    while (left-- > 0) {
      if (left === Math.floor(count / 2)) yield* first.obey({ point: `${point}#1`, fault })
      const answer = yield* clients.asks(server, `client-${index}-${tries}`, yield* nextInput(seen))
      if (answer.type === "ok") seen = answer.output.revision
      // Whoever got no answer may still be at work at the server: it goes on as somebody else.
      if (answer.type === "unknown") [server, tries] = [second, tries + 1]
      yield* Effect.sleep(yield* Random.nextIntBetween(0, 8))
    }
  })
  yield* Effect.forEach(Array.from({ length: 8 }).keys(), client, { concurrency: "unbounded" }).pipe(
    Random.withSeed(soak.seed)
  )

  const { batches, operations, texts, unanswered } = yield* end
  const is = (type: string) => operations.filter(({ outcome }) => outcome.type === "ok" && outcome.output.type === type)
  assert.isAbove(is("accepted").length, count / 20)
  assert.isAbove(is("mismatch").length, 5)
  assert.isTrue(
    is("accepted").some(({ input }) => input.type === "merge" && input.expectedRevision !== undefined),
    "no compare-and-set succeeded"
  )
  const verdict = linearizable(envOverHttp, operations)
  assert.strictEqual(verdict.type, "linearizable", verdict.type === "notLinearizable" ? verdict.report : "")
  soak.count("histories over two servers", {
    operations: operations.length,
    "without an answer": unanswered,
    revisions: texts.length - 1,
    batches
  })
})

const all = "E1 E13 INV-5: 200 merges at once through two servers, one of them killed, are each there once"
const serial =
  "E1 INV-5: merges, merges at a Revision and reads through two servers, one of them killed, are linearizable"

layer(EnvReplicas.layer(), { excludeTestServices: true })("one Env", (it) => {
  it.effect(all, () => keepsAll(200, "is killed after"))
})

layer(EnvReplicas.layer(), { excludeTestServices: true })("one Env", (it) => {
  it.effect(serial, () => looksSerial(soak.many(200, 4_000), "is killed before"))
})

describeWith("pgbouncer")("behind PgBouncer", () => {
  layer(EnvReplicas.layer(6), { excludeTestServices: true })("one Env", (it) => {
    it.effect(all, () => keepsAll(200, "is killed before"))
  })

  layer(EnvReplicas.layer(6), { excludeTestServices: true })("one Env", (it) => {
    it.effect(serial, () => looksSerial(soak.many(200, 4_000), "is killed after"))
  })
})
