// INV-8: what serves is what the last healthy Deployment built, which was activated first; no other end changes it, and
// Releases are numbered without a gap.

import type { AppId, DeploymentId, ReleaseId } from "@lockkeeper/core/domain/App"
import type { ImageDigest } from "@lockkeeper/core/domain/Workload"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import type { DeploymentRequest } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Effect } from "effect"
import { type Ledger, put } from "../Ledger.ts"
import { makeRule } from "../Rule.ts"
import { isDone, type Seen } from "../Seen.ts"

interface Released {
  readonly id: ReleaseId | null
  readonly deployment: DeploymentId
  readonly image: ImageDigest | undefined
  readonly envRevision: number
}

/** The Releases of each App, the current one last. */
type Releases = ReadonlyMap<AppId, ReadonlyArray<Released>>

/** Which Release a Deployment is begun from, if there is one. */
const originOf = ({ app, release }: DeploymentRequest, releases: Releases): Released | undefined => {
  const own = releases.get(app) ?? []
  return release === "current" ? own.at(-1) : own.find(({ id }) => id === release)
}

const wronglyBegun = (seen: Extract<Seen, { readonly call: "begin" }>, releases: Releases): string | undefined => {
  const { refusal, request, value } = seen
  const origin = originOf(request, releases)
  const isDue = request.release !== undefined && origin === undefined
  if (refusal === "NoRelease" || (isDue && value?.created === true)) {
    return isDue && !isDone(seen) ? undefined : `begin was answered with ${refusal} from ${origin?.id}`
  }
  if (origin === undefined || value?.created !== true) return undefined
  const { envRevision, image } = value.deployment
  const isSame = image === origin.image && (request.release === "current" || envRevision === origin.envRevision)
  return isSame ? undefined : `it began with other things than those of ${origin.id}`
}

const objection = ({ deployments }: Ledger, seen: Seen, releases: Releases): string | undefined => {
  if (seen.call === "begin") return wronglyBegun(seen, releases)
  if (seen.call !== "finish" || seen.value === undefined) return undefined
  const { release, status } = seen.value
  if (status !== "healthy") return release === null ? undefined : "a Release was made of what did not become healthy"
  const entry = deployments.get(seen.claim.deployment.id)
  if (entry?.activated !== true || entry.image === undefined) return "what was not built and activated ended healthy"
  const earlier = releases.get(seen.claim.app.id) ?? []
  return release === null || earlier.some(({ id }) => id === release) ? "no Release of its own was made" : undefined
}

const after = (releases: Releases, seen: Seen, { deployments }: Ledger): Releases => {
  if (seen.call !== "finish" || seen.outcome.status !== "healthy" || seen.value === undefined) return releases
  const { app, envRevision, id, release } = seen.value
  const released = { id: release, deployment: id, image: deployments.get(id)?.image, envRevision }
  return put(releases, app, [...(releases.get(app) ?? []), released])
}

/** The current Release is that of the last healthy Deployment. */
export const releases = makeRule<Releases>({
  id: "INV-8",
  start: new Map(),
  objection,
  after,
  look: Effect.fnUntraced(function* (known) {
    const [apps, deployments] = [yield* AppStore, yield* DeploymentStore]
    const current = yield* Effect.forEach(
      known.apps,
      ({ id }) =>
        Effect.match(apps.get(id), {
          onSuccess: ({ currentRelease, deployedEnvRevision }) => [currentRelease, deployedEnvRevision],
          onFailure: () => "gone"
        }),
      { concurrency: 8 }
    )
    const numbered = (yield* deployments.serving).map(
      ({ app, deployment, release: { envRevision, image, number } }) =>
        [app.id, { deployment, envRevision, image, number }] as const
    )
    return { current, serving: new Map(numbered) }
  }),
  expected: ({ statuses }, releases) => {
    const last = (app: AppId) => releases.get(app)?.at(-1)
    const live = [...releases.keys()].filter((app) => statuses.get(app) === "live")
    return {
      current: [...statuses].map(([app, status]) =>
        status === "deleted" ? "gone" : [last(app)?.id ?? null, last(app)?.envRevision ?? null]
      ),
      serving: new Map(
        live.map((app) => {
          const { deployment, envRevision, image } = last(app) ?? {}
          return [app, { deployment, envRevision, image, number: releases.get(app)?.length }]
        })
      )
    }
  }
})
