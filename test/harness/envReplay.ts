// What the stored changes of an Env come to when they are applied one by one, worked out apart from the product: a merge of
// plain objects. The rows, every answer of the store and this must agree, byte for byte.

import { assert } from "@effect/vitest"
import type { AppId } from "@lockkeeper/core/domain/App"
import { type Env, Revision } from "@lockkeeper/core/domain/Env"
import { EnvStore } from "@lockkeeper/core/port/EnvStore"
import { SecretCipher } from "@lockkeeper/core/port/SecretCipher"
import { plain } from "@lockkeeper/core/testing/Fixture"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"

type Entries = Readonly<Record<string, string>>
type Change = Readonly<Record<string, string | null>>

interface Line {
  readonly actor: string
  readonly keysSet: ReadonlyArray<string>
  readonly keysDeleted: ReadonlyArray<string>
  readonly total: number
}

const canonical = (entries: Entries): string =>
  JSON.stringify(Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1))))

const merged = (entries: Entries, change: Change): Entries =>
  Object.fromEntries(
    Object.entries({ ...entries, ...change }).flatMap(([key, value]) => (value === null ? [] : [[key, value]]))
  )

/** What the history has to say of a change of these entries. */
const told = (before: Entries, change: Change, after: Entries): Omit<Line, "actor"> => {
  const names = Object.keys(change).sort()
  return {
    keysSet: names.filter((name) => change[name] !== null),
    keysDeleted: names.filter((name) => change[name] === null && name in before),
    total: Object.keys(after).length
  }
}

const textOf = (env: Env): string => canonical(plain(env))

/**
 * Fails unless the changes of an App follow each other without a gap, each changes something and says truly what, and
 * every whole Env, every answer of the store and the App's row are what they come to. Answers the Env at each Revision, as
 * canonical JSON, and who made it.
 */
export const replayed = Effect.fnUntraced(function* (app: AppId) {
  const [sql, cipher, envs] = [yield* SqlClient.SqlClient, yield* SecretCipher, yield* EnvStore]
  const open = (sealed: Uint8Array, place: string) => Effect.map(cipher.open(sealed, place), Redacted.value)
  const rows = yield* sql<{
    readonly first: number
    readonly last: number
    readonly sealed: Uint8Array
    readonly history: ReadonlyArray<Line>
  }>`select first, last, sealed, history from env_changes where app = ${app} order by first`

  let entries: Entries = {}
  const texts = ["{}"]
  const actors = [""]
  for (const { first, history, last, sealed } of rows) {
    assert.strictEqual(first, texts.length, "the first Revision of a batch follows the last one of the batch before")
    const stored: Change | ReadonlyArray<Change> = JSON.parse(yield* open(sealed, `env/${app}/${last}/change`))
    const changes = [stored].flat()
    assert.deepStrictEqual([changes.length, history.length], [last - first + 1, last - first + 1])
    for (const [index, change] of changes.entries()) {
      const next = merged(entries, change)
      const { actor = "", ...line } = history[index] ?? {}
      assert.deepStrictEqual(line, told(entries, change, next), "what the history says")
      assert.notStrictEqual(canonical(next), texts.at(-1), "a Revision that changes nothing")
      entries = next
      texts.push(canonical(next))
      actors.push(actor)
    }
  }

  const wholes = yield* sql<{ readonly revision: number; readonly sealed: Uint8Array }>`
    select revision, sealed from env_snapshots where app = ${app}`
  for (const { revision, sealed } of wholes) {
    assert.strictEqual(yield* open(sealed, `env/${app}/${revision}`), texts[revision], `the whole Env at ${revision}`)
  }
  const [row] = yield* sql`select env_revision as revision, env_bytes as bytes from apps where id = ${app}`
  const present = texts.at(-1) ?? ""
  assert.deepStrictEqual(row, { revision: texts.length - 1, bytes: Buffer.byteLength(present) })

  const read = yield* envs.read(app)
  assert.deepStrictEqual([Number(read.revision), textOf(read.env)], [texts.length - 1, present], "what is read")
  for (const [revision, text] of texts.entries()) {
    assert.strictEqual(textOf(yield* envs.readAt(app, Revision.make(revision))), text, `the Env at ${revision}`)
  }
  const events = yield* sql<{ readonly revision: number }>`select (data->>'revision')::int + n as revision
    from events, generate_series(0, count - 1) n where app = ${app} and type = 'env.changed' order by 1`
  assert.deepStrictEqual(
    events.map(({ revision }) => revision),
    texts.slice(1).map((_, index) => index + 1),
    "an Event for each Revision"
  )
  return { texts, actors, wholes: wholes.length, batches: rows.length }
})
