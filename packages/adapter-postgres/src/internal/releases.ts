// What Apps have released: read here, written where a Deployment ends healthy (endings.ts).

import type { AppId, ReleaseId } from "@lockkeeper/core/domain/App"
import { cut, type Page, type PageRequest } from "@lockkeeper/core/domain/Page"
import { Release } from "@lockkeeper/core/domain/Release"
import { ImageDigest } from "@lockkeeper/core/domain/Workload"
import { ReleaseNotFound } from "@lockkeeper/core/port/DeploymentRequest"
import { Effect, Schema } from "effect"
import { Instant } from "./columns.ts"
import { type Database, rowsOf } from "./Database.ts"

const releaseRows = rowsOf(Schema.Struct({ ...Release.fields, createdAt: Instant }))

const imageRows = rowsOf(Schema.Struct({ image: ImageDigest }))

/** Builds `releases`, `release` and `unneeded`. */
export const releases = (db: Database) => {
  const { sql } = db
  const columns = sql`r.id, r.app, r.number, r.image, r.env_revision as "envRevision", r.commit,
    r.created_at as "createdAt", r.current`

  const list = (app: AppId, page: PageRequest) =>
    db.statement<Page<Release>>(
      "DeploymentStore.releases",
      Effect.map(
        releaseRows(sql`select ${columns} from releases r
          where r.app = ${app} and (${page.cursor ?? null}::int is null or r.number < ${page.cursor ?? null}::int)
          order by r.number desc limit ${page.limit + 1}`),
        (rows) =>
          cut(
            page,
            rows,
            ({ number }) => number,
            (row) => row
          )
      )
    )

  const release = (app: AppId, id: ReleaseId) =>
    db.statement(
      "DeploymentStore.release",
      Effect.gen(function* () {
        const [found] = yield* releaseRows(sql`select ${columns} from releases r where r.id = ${id} and r.app = ${app}`)
        return found ?? (yield* new ReleaseNotFound({ release: id }))
      })
    )

  const unneeded = (images: ReadonlyArray<ImageDigest>, retain: number) =>
    db.statement<ReadonlyArray<ImageDigest>>(
      "DeploymentStore.unneeded",
      Effect.map(
        imageRows(sql`select i.image from unnest(${images}::text[]) with ordinality i (image, n)
          where not exists (
            select from deployments d where d.image = i.image and d.status in ('queued', 'building', 'deploying')
          ) and not exists (
            select from intents o join deployments d on d.id = o.deployment
            where o.released_at is null and d.image = i.image
          ) and not exists (
            select from jobs j where j.image = i.image and j.status in ('queued', 'running')
          ) and not exists (
            select from intents o join jobs j on j.id = o.job where o.released_at is null and j.image = i.image
          ) and not exists (
            select from releases r join apps a on a.id = r.app
            where r.image = i.image and a.status <> 'deleted'
              and (select count(*) from releases n where n.app = r.app and n.number > r.number) < ${retain}
          ) order by i.n`),
        (rows) => rows.map(({ image }) => image)
      )
    )

  return { releases: list, release, unneeded }
}
