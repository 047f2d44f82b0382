// The guards of the migrations: who applies, and who builds an index.

import { joined, listing } from "./listing.ts"

const testOf = (name: string): string => `packages/adapter-postgres/test/${name}.test.ts`

/** What is listed of them. */
export const postgresMigrations = joined([
  listing("packages/adapter-postgres/src/PostgresMigrations.ts", [testOf("migrations")], {
    mutations: [
      {
        guards: ["turn: lock table"],
        says: "migrations do not queue",
        find: "sql`lock table ${sql(ledger)} in exclusive mode nowait`",
        replace: "sql`select 1`"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/migrationLedger.ts", [testOf("rows")], {
    mutations: [
      {
        guards: ["ensureLedger: primary key"],
        says: "a migration may be noted twice",
        find: "id integer primary key,",
        replace: "id integer,"
      }
    ]
  }),
  listing("packages/adapter-postgres/src/internal/indexBuild.ts", [testOf("migrationIndexes")], {
    mutations: [
      {
        guards: ["claimed: fence = s.fence + 1"],
        says: "who takes over has the fence of who was there before",
        find: "set fence = s.fence + 1,",
        replace: "set fence = s.fence,"
      },
      {
        guards: ["claimed: s.lease_until <= clock_timestamp()"],
        says: "a lease that lasts is taken over",
        find: "s.state = 'running' and s.lease_until <= clock_timestamp()",
        replace: "s.state = 'running'"
      },
      {
        guards: ["renewed: fence = ${fence}"],
        says: "who has lost the lease renews it for the next one and goes on",
        find: "make_interval(secs => ${seconds(lease)})\n          where id = ${migration.id} and fence = ${fence}",
        replace: "make_interval(secs => ${seconds(lease)})\n          where id = ${migration.id}"
      },
      {
        guards: ["released: fence = ${fence}"],
        says: "who has lost the lease gives back that of the next one",
        find: "set lease_until = clock_timestamp()\n      where id = ${migration.id} and fence = ${fence}",
        replace: "set lease_until = clock_timestamp()\n      where id = ${migration.id}"
      },
      {
        guards: ["drop: fence = ${fence}"],
        says: "who has lost the lease drops the index of the next one",
        find: "where id = ${migration.id} and fence = ${fence} and state = 'running' for update",
        replace: "where id = ${migration.id} and state = 'running' for update"
      },
      {
        guards: ["drop: for update"],
        says: "somebody takes the lease over between the look and the drop",
        find: " and state = 'running' for update`",
        replace: " and state = 'running'`"
      },
      {
        guards: ["build: fence = ${fence}"],
        says: "who has lost the lease says that it is done",
        find: "set state = 'done' where id = ${migration.id} and fence = ${fence}",
        replace: "set state = 'done' where id = ${migration.id}"
      },
      {
        guards: ["buildIndex: Effect.ensuring"],
        says: "who stops does not give the lease back",
        find: "Effect.ensuring(released(held))",
        replace: "Effect.ensuring(Effect.void)"
      }
    ],
    leftOut: [
      {
        guards: ["ensureTable: primary key", "claimed: on conflict (id) do update"],
        reason: "the statement that claims does not run without; what it does then is a mutation of its own"
      }
    ]
  })
])
