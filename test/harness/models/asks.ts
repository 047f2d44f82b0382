// What may be asked in a run, each thing as one call of a port. What it is asked of is a number, and means one of those
// that are known when it is asked, so that a run stays meaningful when parts of it are left out.

import { type AppStatus, HostPort } from "@lockkeeper/core/domain/App"
import { DeliveryId, type Trigger } from "@lockkeeper/core/domain/Deployment"
import { Revision } from "@lockkeeper/core/domain/Env"
import { ReplicaId } from "@lockkeeper/core/domain/Lease"
import type { Policy } from "@lockkeeper/core/domain/Policy"
import { ImageDigest, IpAddress, WorkloadId, WorkloadName } from "@lockkeeper/core/domain/Workload"
import { AppStore } from "@lockkeeper/core/port/AppStore"
import type { Claim, DeploymentOutcome } from "@lockkeeper/core/port/Claim"
import type { DeploymentRequest } from "@lockkeeper/core/port/DeploymentRequest"
import { DeploymentStore } from "@lockkeeper/core/port/DeploymentStore"
import { Journal } from "@lockkeeper/core/port/Journal"
import { mergeEnv } from "@lockkeeper/core/program/mergeEnv"
import * as Given from "@lockkeeper/core/testing/Fixture"
import { DateTime, Effect } from "effect"
import { type Known, pick } from "./Known.ts"
import type { ModelPorts } from "./Seen.ts"
import { Tables } from "./Tables.ts"

/** A call of a port. */
export type Call = Effect.Effect<unknown, { readonly _tag: string }, ModelPorts>

/** Something to ask. There is no call when nothing is known of which it could be asked. */
export interface Ask {
  readonly label: string
  readonly call: (known: Known) => Call | undefined
}

/** How a value of an Env is written in a run: as it is, or as so many letters. */
export type Value = string | number | null

/** What a Deployment is asked for with, besides its App. */
export interface How {
  readonly delivery?: string | undefined
  readonly policy?: Policy | undefined
  /** The current Release, or one of those that are known, of whichever App it is. */
  readonly release?: "current" | number | undefined
  readonly start?: boolean
}

const terms = Given.longTerms

/** A replica of this number. */
export const replicaOf = (number: number): ReplicaId => ReplicaId.make(`replica-${number}`)

const imageOf = (number: number): ImageDigest => ImageDigest.make(`sha256:${String(number).padStart(64, "0")}`)

const outcomes: Readonly<Record<DeploymentOutcome["status"], DeploymentOutcome>> = {
  healthy: { status: "healthy" },
  failed: Given.endings[0],
  cancelled: Given.endings[1],
  superseded: { status: "superseded" }
}

const deployments = <A, E extends { readonly _tag: string }>(
  use: (store: typeof DeploymentStore.Service) => Effect.Effect<A, E>
): Call => Effect.flatMap(DeploymentStore, use)

const ofApps = <A, E extends { readonly _tag: string }>(
  use: (store: typeof AppStore.Service) => Effect.Effect<A, E>
): Call => Effect.flatMap(AppStore, use)

const journal = (use: (journal: typeof Journal.Service) => Call): Call => Effect.flatMap(Journal, use)

const tables = (use: (tables: typeof Tables.Service) => Effect.Effect<void>): Call => Effect.flatMap(Tables, use)

/** Makes an ask of one of those that are known. */
export const ask =
  <Of, Args extends ReadonlyArray<unknown>>(
    name: string,
    list: (known: Known) => ReadonlyArray<Of>,
    call: (of: Of, args: Args, known: Known) => Call
  ): ((of: number, ...args: Args) => Ask) =>
  (of, ...args) => ({
    label: `${name}(${JSON.stringify([of, ...args]).slice(1, -1)})`,
    call: (known) => {
      const found = pick(list(known), of)
      return found === undefined ? undefined : call(found, args, known)
    }
  })

const apps = (known: Known) => known.apps
const begun = (known: Known) => known.deployments
const claims = (known: Known) => known.claims
const names = (known: Known) => known.names

const triggerOf = ({ delivery, release, start }: How): Trigger => {
  if (start === true) return { kind: "start" }
  if (delivery !== undefined) return { kind: "webhook", deliveryId: DeliveryId.make(delivery) }
  if (release === undefined) return { kind: "manual" }
  return { kind: release === "current" ? "redeploy" : "rollback" }
}

const releaseOf = (known: Known, { release }: How): DeploymentRequest["release"] =>
  typeof release === "number" ? pick(known.releases, release) : release

/** Begins a Deployment of an App, as its Policy allows; of those with the same delivery, one. */
export const begin = ask<Known["apps"][number], [how?: How]>("begin", apps, (app, [how = {}], known) =>
  deployments((store) =>
    store.begin({ app: app.id, policy: how.policy, release: releaseOf(known, how), trigger: triggerOf(how) })
  )
)

/** A replica asks for any work. */
export const admitAny = (replica: number): Ask => ({
  label: `admitAny(${replica})`,
  call: () => deployments((store) => store.admit({ replica: replicaOf(replica), terms }))
})

/** A replica asks for one Deployment. */
export const admit = ask<Known["deployments"][number], [replica: number]>("admit", begun, (deployment, [replica]) =>
  deployments((store) => store.admit({ replica: replicaOf(replica), terms, deployment }))
)

/** A replica takes over what is abandoned. */
export const takeOver = (replica: number, limit = 10_000): Ask => ({
  label: `takeOver(${replica}, ${limit})`,
  call: () => deployments((store) => store.claimAbandoned({ replica: replicaOf(replica), terms }, limit))
})

/** Withdraws a Deployment, queued or not. */
export const withdraw = ask<Known["deployments"][number], []>("withdraw", begun, (deployment) =>
  deployments((store) => store.withdraw(deployment))
)

/** Asks a Deployment to end, wherever it is. */
export const cancel = ask<Known["deployments"][number], []>("cancel", begun, (deployment) =>
  deployments((store) => store.requestCancel(deployment))
)

/** The holder of a Claim, be it still one or not, renews it. */
export const renew = ask<Claim, []>("renew", claims, (claim) => deployments((store) => store.renew(claim, terms)))

/** The holder of a Claim has built an image. */
export const build = ask<Claim, [image: number]>("build", claims, (claim, [image]) =>
  deployments((store) => store.built(claim, imageOf(image), null))
)

/** The holder of a Claim is about to move the traffic. */
export const activate = ask<Claim, []>("activate", claims, (claim) => deployments((store) => store.activate(claim)))

/** The holder of a Claim ends it. */
export const finish = ask<Claim, [outcome: DeploymentOutcome["status"]]>("finish", claims, (claim, [outcome]) =>
  deployments((store) => store.finish(claim, outcomes[outcome]))
)

/** The replica that holds a Claim is declared dead. */
export const abandon = ask<Claim, []>("abandon", claims, (claim) =>
  deployments((store) => store.abandon(claim.replica))
)

/** A lease runs out. */
export const lapse = ask<Claim, []>("lapse", claims, (claim) => tables(({ lapse }) => lapse(claim.deployment.id)))

/** Stops an App, or begins to delete it. */
export const mark = ask<Known["apps"][number], [to: "stopped" | "deleting"]>("mark", apps, (app, [to]) =>
  ofApps((store) => store.mark(app.id, to))
)

/** The time of an App is over, or it has no end again. */
export const setExpiry = ask<Known["apps"][number], [isOver: boolean]>("setExpiry", apps, (app, [isOver]) =>
  ofApps((store) => store.setExpiry(app.id, isOver ? DateTime.makeUnsafe(0) : null))
)

/** Expires one App whose time is over. */
export const claimExpired: Ask = {
  label: "claimExpired()",
  call: () => ofApps((store) => store.claimExpired(1))
}

/** Settles an App that is not live, if nothing of it is left. */
export const settle = ask<Known["apps"][number], []>("settle", apps, (app) =>
  ofApps((store) =>
    Effect.flatMap(store.ending(10_000), (endings) => {
      const ending = endings.find((candidate) => candidate.app.id === app.id)
      return ending === undefined ? Effect.void : store.settle(ending)
    })
  )
)

/** An App is moved to a status, from whichever it has, and nothing else. */
export const setStatus = ask<Known["apps"][number], [status: AppStatus]>("setStatus", apps, (app, [status]) =>
  tables(({ setStatus }) => setStatus(app.id, status))
)

/** An App's Env is changed, at a Revision if one is given. */
export const merge = ask<
  Known["apps"][number],
  [entries: Readonly<Record<string, Value>>, expected?: number | undefined]
>("merge", apps, (app, [entries, expected]) => {
  const plain = Object.entries(entries).map(([key, value]) => [
    key,
    typeof value === "number" ? "x".repeat(value) : value
  ])
  const change = Given.changeOf(Object.fromEntries(plain))
  const at = expected === undefined ? {} : { expected: Revision.make(expected) }
  return mergeEnv({ app: app.id, actor: "model", change, ...at })
})

/** The holder of a Claim intends a Workload under a name of its own, or under the name of another. */
export const intend = ask<Claim, [name?: number]>("intend", claims, (claim, [name], known) => {
  const own = WorkloadName.make(`workload-${known.names.length}`)
  const { app, deployment, fence, replica } = claim
  const intent = { app: app.id, work: deployment.id, fence, replica }
  const taken = name === undefined ? undefined : pick(known.names, name)
  return journal(({ intend }) => intend({ ...intent, name: taken ?? own }))
})

/** A Workload of a name is there. */
export const confirm = ask<Known["names"][number], []>("confirm", names, (name) =>
  journal(({ confirm }) => {
    const address = { host: IpAddress.make("127.0.0.1"), port: HostPort.make(31_000) }
    return confirm({ id: WorkloadId.make(`id-${name}`), name, address, image: imageOf(1) })
  })
)

/** Nothing of a name is left. */
export const release = ask<Known["names"][number], []>("release", names, (name) =>
  journal(({ released }) => released(name))
)
