// The guards of the store of Envs on PostgreSQL: what its statements compare, and who waits for whom in this process.

import { joined, listing } from "./listing.ts"

const proof = (...names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name) => `packages/adapter-postgres/test/env${name}.test.ts`)

const busy = ["test/e2e/envBusy.test.ts"]

/** What is listed of it. */
export const postgresEnvs = joined([
  listing("packages/adapter-postgres/src/internal/envRows.ts", proof("Teardown"), {
    mutations: [
      {
        guards: ["parts: a.status <> 'deleted'"],
        says: "the Env of a deleted App is answered",
        find: "where a.status <> 'deleted' order by p.first",
        replace: "order by p.first"
      },
      {
        guards: ["write: status in ('live', 'stopped')"],
        says: "the Env of an App in any status is written",
        find: "where id = w.app and status in ('live', 'stopped') and env_revision = w.base",
        replace: "where id = w.app and env_revision = w.base"
      },
      {
        guards: ["write: for no key update", "write: skip locked"],
        says: "an Env is written to a row that was looked at without its lock",
        find: "\n        for no key update skip locked",
        replace: ""
      },
      {
        guards: ["write: skip locked"],
        says: "many Apps wait for the row of one that somebody holds",
        find: "for no key update skip locked",
        replace: "for no key update",
        tests: busy
      },
      {
        guards: ["history: a.status <> 'deleted'"],
        says: "the history of a deleted App is answered",
        find: "where a.id = ${app} and a.status <> 'deleted' order by c.first desc",
        replace: "where a.id = ${app} order by c.first desc"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/envWriting.ts", proof("Teardown"), {
    mutations: [
      {
        guards: ['body: row.status === "deleted"'],
        says: "a deleted App is only not live",
        find: 'row === undefined || row.status === "deleted"',
        replace: "row === undefined"
      },
      {
        guards: [],
        says: "the status of an App whose row is held is not looked at",
        find: "      if (!isChangeable(row.status)) return yield* new AppNotLive({ app, status: row.status })\n",
        replace: ""
      },
      {
        guards: [],
        says: "a change that changes nothing is told of an App in any status",
        find: "found?.revision === present.revision && isChangeable(found.status)",
        replace: "found?.revision === present.revision"
      },
      {
        guards: [],
        says: "a change is told to change nothing of an Env that others changed",
        find: "found?.revision === present.revision && isChangeable(found.status)",
        replace: "found !== undefined && isChangeable(found.status)",
        tests: proof("Replicas")
      },
      {
        guards: [],
        says: "an Env whose Revisions were swept is taken for a corrupt one",
        find: "line.loaded === undefined || isSwept(line.loaded, row)",
        replace: "line.loaded === undefined",
        tests: proof("Replicas")
      },
      {
        guards: ["writeHeld: .until <= time"],
        says: "what was sent is never given up",
        find: "if (pending.until <= time) pending.refuse(error)",
        replace: "if (time < 0) pending.refuse(error)",
        tests: proof("Late")
      },
      {
        guards: [],
        says: "what has no answer is taken for not written",
        find: "const isKnown = Result.isSuccess(answer) || isWithoutEffect(answer.failure.cause)",
        replace: "const isKnown = Result.isSuccess(answer) || answer.failure.reason.length > 0",
        tests: proof("Late")
      },
      {
        guards: [],
        says: "what was found to be written is decided anew",
        find: "      known?.tell()\n",
        replace: "",
        tests: proof("Late")
      },
      {
        guards: [],
        says: "what changes nothing is told while a lost batch may still arrive",
        find: "return mayArrive ? yield* unsettled : { batch, isMet, next: present }",
        replace: "return mayArrive && before < 0 ? yield* unsettled : { batch, isMet, next: present }",
        tests: proof("Late")
      },
      {
        guards: [],
        says: "a lost COMMIT is taken for none",
        find: "    if (isWriting && !isWithoutEffect(error.cause)) return error\n",
        replace: "",
        tests: proof("Faults")
      },
      {
        guards: [],
        says: "a change is told before it is written",
        find: "    const write = rows.write(changing.map(({ written }) => written))",
        replace:
          "    for (const { batch } of changing) batch.tell()\n    const write = rows.write(changing.map(({ written }) => written))",
        tests: proof("Late")
      },
      {
        guards: [],
        says: "Apps whose rows are kept are in the way of all others",
        find: "permits.passing.withPermit(held(passing))",
        replace: "permits.passing.withPermit(held())",
        tests: busy
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/envLines.ts", proof("Lines"), {
    mutations: [
      {
        guards: ["flush: Effect.onExit"],
        says: "nothing is flushed any more after a flush that died",
        find: "Effect.onExit(ended(flushed, writing.writeFree(flushed), asker), () => next)",
        replace: "Effect.andThen(ended(flushed, writing.writeFree(flushed), asker), next)"
      },
      {
        guards: ["ended: Effect.onExit"],
        says: "a line whose work was interrupted stays busy",
        find: "      Effect.onExit((exit) =>",
        replace: "      Effect.exit,\n      Effect.flatMap((exit) =>",
        tests: proof("Interruption")
      },
      {
        guards: ["envLines: Effect.addFinalizer"],
        says: "what waits when the store is closed waits for ever",
        find: "yield* Effect.addFinalizer(() =>",
        replace: "yield* Effect.succeed(() =>"
      },
      {
        guards: [],
        says: "a change that was withdrawn is written",
        find: "      line.waiting = line.waiting.filter((other) => other !== pending)\n",
        replace: "",
        tests: proof("Interruption")
      },
      {
        guards: [],
        says: "any number of changes waits for one App",
        find: "line.waiting.length >= limits.waiting",
        replace: "line.waiting.length < 0",
        tests: proof("Batches")
      },
      {
        guards: [],
        says: "the App that has just come is forgotten",
        find: "    if (known === undefined) forget()\n    lines.delete(app)\n    lines.set(app, line)\n",
        replace: "    lines.delete(app)\n    lines.set(app, line)\n    if (known === undefined) forget()\n"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/envBatch.ts", proof("Batches"), {
    mutations: [
      {
        guards: [],
        says: "a batch holds any number of changes",
        find: "pending.length >= limits.count || ",
        replace: ""
      },
      {
        guards: [],
        says: "a batch is of any size",
        find: " || characters >= limits.characters",
        replace: ""
      },
      {
        guards: [],
        says: "a change is decided on the Env before its batch",
        find: "one.decide({ env, revision })",
        replace: "one.decide({ env: base.env, revision })"
      }
    ]
  })
])
