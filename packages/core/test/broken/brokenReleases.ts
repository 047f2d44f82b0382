// DeploymentStores that make mistakes with Releases and with what is made from them.

import { Effect } from "effect"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { appOf } from "../../src/port/MemoryState.ts"
import { altered, type Broken } from "./Broken.ts"

/** DeploymentStores that are broken in `releases`, `release`, or in `begin` of a Release. */
export const brokenReleases: ReadonlyArray<Broken> = [
  {
    what: "a DeploymentStore that answers the Releases of every App",
    contract: "DeploymentStore",
    violates: ["X3 Releases are read"],
    layer: altered(DeploymentStore, (original, state) => ({
      release: (app, id) =>
        Effect.suspend(() => {
          const found = state.releases.get(id)?.release
          return found === undefined ? original.release(app, id) : Effect.succeed(found)
        })
    }))
  },
  {
    what: "a DeploymentStore that goes back to an image and keeps the Env as it is",
    contract: "DeploymentStore",
    violates: ["X3 a Deployment of the current Release"],
    layer: altered(DeploymentStore, (original, state) => ({
      begin: (request) =>
        Effect.map(original.begin(request), ({ created, deployment }) => {
          const row = state.deployments.get(deployment.id)
          const app = state.apps.get(request.app)
          if (request.release === undefined || row === undefined || app === undefined) return { created, deployment }
          row.deployment = { ...row.deployment, envRevision: appOf(state, app).envRevision }
          return { created, deployment: { ...deployment, envRevision: row.deployment.envRevision } }
        })
    }))
  },
  {
    what: "a DeploymentStore that builds the App's Source where there is no Release",
    contract: "DeploymentStore",
    violates: ["R4 what is begun of a Release", "R4 a start that is refused"],
    layer: altered(DeploymentStore, (original, state) => ({
      begin: (request) =>
        Effect.catchIf(
          original.begin(request),
          (error) => error._tag === "DeploymentRefused" && error.reason._tag === "NoRelease",
          () =>
            Effect.suspend(() => {
              const row = state.apps.get(request.app)
              if (row !== undefined) row.app = { ...row.app, status: "live" }
              return original.begin({ ...request, trigger: { kind: "redeploy" }, release: undefined })
            })
        )
    }))
  },
  {
    what: "a DeploymentStore for which a stopped App is live enough",
    contract: "DeploymentStore",
    violates: ["R4 a start makes"],
    layer: altered(DeploymentStore, (original, state) => ({
      begin: (request) =>
        Effect.suspend(() => {
          const row = state.apps.get(request.app)
          if (row?.app.status === "stopped" && request.trigger.kind === "redeploy") {
            row.app = { ...row.app, status: "live" }
          }
          return original.begin(request)
        })
    }))
  }
]
