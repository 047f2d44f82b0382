// The guards of what ends Apps: in memory and on PostgreSQL.

import { joined, lawsOf, listing } from "./listing.ts"

const stored = ["contracts", "appLife", "corruptInTheWay"].map(
  (name) => `packages/adapter-postgres/test/${name}.test.ts`
)

/** What is listed of them. */
export const appLife = joined([
  listing("packages/core/src/port/AppStore.ts", ["packages/core/test/contracts.test.ts"], {
    mutations: [
      {
        guards: ['moved: row.app.status === "live"'],
        says: "what ends a live App has no Fence of its own",
        find: 'if (row.app.status === "live") row.lastFence += 1',
        replace: ""
      },
      {
        guards: ['there: row.app.status === "deleted"'],
        says: "a deleted App is only not live when it is stopped",
        find: 'return row === undefined || row.app.status === "deleted" ? yield*',
        replace: "return row === undefined ? yield*"
      },
      {
        guards: ['setExpiry: status !== "live"'],
        says: "the expiry of an App that is not live is set",
        find: 'if (status !== "live") return yield* new AppNotLive({ app: id, status })',
        replace: ""
      },
      {
        guards: ["settle: row.lastFence !== fence"],
        says: "an App is deleted by who knows an older Fence",
        find: " || row.lastFence !== fence",
        replace: ""
      },
      {
        guards: ['settle: row.app.status !== "stopped"', 'settle: row.app.status !== "deleting"'],
        says: "an expired App is deleted",
        find: 'if (row.app.status !== "stopped" && row.app.status !== "deleting") return false',
        replace: ""
      },
      {
        guards: ['settle: row.app.status === "stopped"'],
        says: "a stopped App is deleted",
        find: 'if (row.app.status === "stopped") return true',
        replace: ""
      }
    ],
    leftOut: [
      {
        guards: ['ending: row.app.status !== "live"'],
        reason: "a live App is settled until it ends; this is for one that is started while what it had is taken down"
      }
    ]
  }),
  listing(
    "packages/adapter-postgres/src/migrations/0010_erased_secrets.ts",
    ["packages/adapter-postgres/test/erasedSecrets.test.ts"],
    {
      mutations: [
        {
          guards: ["erasedSecrets: a.status = 'deleted'"],
          says: "every Env is erased",
          find: "where a.id = c.app and a.status = 'deleted'",
          replace: "where a.id = c.app"
        },
        {
          guards: ["erasedSecrets: a.status = 'deleted' #2"],
          says: "every whole Env is erased",
          find: "where a.id = s.app and a.status = 'deleted'",
          replace: "where a.id = s.app"
        },
        {
          guards: ["erasedSecrets: a.status = 'deleted' #3"],
          says: "the key of every Deployment is erased",
          find: "where a.id = d.app and a.status = 'deleted' and",
          replace: "where a.id = d.app and"
        },
        {
          guards: ["erasedSecrets: status = 'deleted'"],
          says: "the key of every App is erased",
          find: "where status = 'deleted' and source_secret",
          replace: "where source_secret"
        }
      ]
    }
  ),
  listing("packages/adapter-postgres/src/internal/appLife.ts", stored, {
    named: lawsOf("AppLife", "AppStatus"),
    mutations: [
      {
        guards: ["locked: for no key update"],
        says: "an App is stopped by what was read of it before a wait",
        find: "where id = ${app} for no key update",
        replace: "where id = ${app}"
      },
      {
        guards: ['locked: row.status === "deleted"'],
        says: "a deleted App is only not live",
        find: 'row === undefined || row.status === "deleted" ?',
        replace: "row === undefined ?"
      },
      {
        guards: ["end: last_fence = last_fence", "end: status = 'live'"],
        says: "what ends a live App has no Fence of its own",
        find: ",\n          last_fence = last_fence + case when status = 'live' then 1 else 0 end",
        replace: ""
      },
      {
        guards: ["end: status = any"],
        says: "an App is ended whatever its status is",
        find: " and status = any(${appSourcesOf(to)}::text[])",
        replace: ""
      },
      {
        guards: ["end: d.status = 'queued'"],
        says: "every Deployment of the App is cancelled",
        find: " and d.status = 'queued' returning",
        replace: " returning"
      },
      {
        guards: ["end: status in ('building', 'deploying')"],
        says: "Deployments that are over are asked to stop",
        find: " and status in ('building', 'deploying') and stop_as is null",
        replace: " and stop_as is null"
      },
      {
        guards: ["setExpiry: status = 'live'"],
        says: "the expiry of an App that is not live is set",
        find: "where id = ${app} and status = 'live'",
        replace: "where id = ${app}"
      },
      {
        guards: ["isDue: status in ('live', 'stopped')"],
        says: "what is over already expires again, and keeps others from it",
        find: "sql`status in ('live', 'stopped') and expires_at <= now()`",
        replace: "sql`expires_at <= now()`"
      },
      {
        guards: ["claimDue: for no key update", "claimDue: skip locked"],
        says: "who expires Apps waits for the others who do",
        find: " for no key update skip locked",
        replace: ""
      },
      {
        guards: ["settle: status = 'deleting'"],
        says: "a stopped App is deleted",
        find: "case when status = 'deleting' then 'deleted' else status end",
        replace: "'deleted'"
      },
      {
        guards: ["settle: last_fence = ${fence}"],
        says: "an App is deleted by who knows an older Fence",
        find: " and last_fence = ${fence} and not settled",
        replace: " and not settled"
      },
      {
        guards: ["settle: status in ('stopped', 'deleting')"],
        says: "an expired App is settled",
        find: " and not settled and status in ('stopped', 'deleting')",
        replace: " and not settled"
      },
      {
        guards: ["settle: d.status in ('queued', 'building', 'deploying')"],
        says: "an App is deleted while a Deployment is in progress",
        find: "d.status in ('queued', 'building', 'deploying')",
        replace: "d.status in ('queued')"
      },
      {
        guards: ["settle: j.status in ('queued', 'running')"],
        says: "an App is deleted while a Job of it runs",
        find: "j.status in ('queued', 'running')",
        replace: "j.status in ('queued')",
        named: lawsOf("JobStore")
      },
      {
        guards: ["settle: i.released_at is null"],
        says: "an App is deleted while an intent of it is left",
        find: "where i.app = apps.id and i.released_at is null",
        replace: "where false"
      },
      {
        guards: ['settle: settled?.status === "deleted"'],
        says: "the secrets of a stopped App are erased",
        find: 'if (settled?.status === "deleted") yield*',
        replace: "if (settled !== undefined) yield*"
      },
      {
        guards: ["settle: status = 'deleted'"],
        says: "a stopped App that is settled is told to be deleted",
        find: "from a where status = 'deleted'",
        replace: "from a"
      }
    ],
    leftOut: [
      {
        guards: ["ending: a.status <> 'live'"],
        reason: "a live App is settled until it ends; this is for one that is started while what it had is taken down"
      }
    ]
  })
])
