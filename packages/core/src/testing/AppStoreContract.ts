// What every store of Apps keeps: names unique per Tenant, host ports unique, changes whole or not at all.
import { Effect, Redacted, Result } from "effect"
import { defaultHealthCheck } from "../domain/HealthCheck.ts"
import { GitSource, GitUrl, KnownHosts, open } from "../domain/Source.ts"
import { WorkloadPort } from "../domain/Workload.ts"
import { AppStore } from "../port/AppStore.ts"
import type { EventFeed } from "../port/EventFeed.ts"
import { type Contract, equal, holds, law, refused, together } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const key = "Y29udHJhY3Q"
const keyed = GitSource.make({
  type: "git",
  url: GitUrl.make("git@code.example:team/app.git"),
  deployKey: Redacted.make(`-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`),
  knownHosts: KnownHosts.make("code.example ssh-ed25519 AAAA")
})

/** The laws of {@link AppStore}. */
export const AppStoreContract: Contract<AppStore | EventFeed> = [
  law(
    "AppStore-1",
    "a new App is live, has what was asked and the defaults for the rest, and is found by its id",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const tenant = yield* Given.freshTenant
      const name = yield* Given.freshAppName
      const healthCheck = { path: "/up", intervalMillis: 100, timeoutSeconds: 5 }
      const port = WorkloadPort.make(3_000)
      const preDeploy = ["migrate", "--to", "latest"] as const
      const asked = { source: Given.archive, policy: "reject", healthCheck, port, preDeploy } as const
      const full = yield* apps.register({ tenant, name, ...asked })
      const { id, hostPort, createdAt, updatedAt } = full
      yield* equal("the App", full, {
        id,
        hostPort,
        createdAt,
        updatedAt,
        tenant,
        name,
        ...asked,
        status: "live",
        expiresAt: null,
        envRevision: full.envRevision,
        deployedEnvRevision: null,
        currentRelease: null,
        activeDeployment: null
      })
      yield* equal("its Env revision", Number(full.envRevision), 0)
      yield* equal("the App that is found", yield* apps.get(id), full)

      const bare = yield* apps.register({ tenant, name: yield* Given.freshAppName })
      yield* equal(
        "what a bare App has",
        [bare.source, bare.policy, bare.healthCheck, bare.port, bare.preDeploy],
        [null, null, defaultHealthCheck, null, null]
      )
    })
  ),

  law(
    "AppStore-2",
    "a Tenant has one App of a name, another Tenant may have one too",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const [tenant, other] = [yield* Given.freshTenant, yield* Given.freshTenant]
      const name = yield* Given.freshAppName
      const first = yield* apps.register({ tenant, name })
      const taken = yield* refused("AppNameTaken", apps.register({ tenant, name }))
      yield* equal("the name that is taken", { tenant: taken.tenant, name: taken.name }, { tenant, name })
      yield* apps.register({ tenant: other, name })
      const { items } = yield* apps.list(tenant, { limit: 10 })
      yield* equal(
        "the Tenant's Apps",
        items.map((app) => app.id),
        [first.id]
      )
    })
  ),

  law(
    "AppStore-3",
    "of several registrations of one name at the same time exactly one succeeds",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const request = { tenant: yield* Given.freshTenant, name: yield* Given.freshAppName }
      const results = yield* together(Array.from({ length: 8 }, () => apps.register(request)))
      yield* equal("how many succeed", results.filter(Result.isSuccess).length, 1)
      const failures = results.filter(Result.isFailure).map((result) => result.failure._tag)
      yield* equal(
        "what the others are told",
        failures,
        Array.from({ length: 7 }, () => "AppNameTaken" as const)
      )
    })
  ),

  law(
    "AppStore-4",
    "Apps that are registered at the same time get host ports of their own, and keep them",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const made = yield* Effect.all(
        Array.from({ length: 12 }, () => Given.registered()),
        { concurrency: "unbounded" }
      )
      const ports = made.map((app) => app.hostPort)
      yield* holds("twelve different host ports", new Set(ports).size === 12, ports)
      const found = yield* Effect.forEach(made, (app) => apps.get(app.id))
      yield* equal(
        "the ports later",
        found.map((app) => app.hostPort),
        ports
      )
    })
  ),

  law(
    "AppStore-5",
    "an App that does not exist is gone, to read and to change",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const app = yield* Given.unknownApp
      yield* equal("the App of the refusal", (yield* refused("AppGone", apps.get(app))).app, app)
      yield* refused("AppGone", apps.change(app, { source: Given.archive }))
    })
  ),

  law(
    "AppStore-6",
    "a list answers a Tenant's Apps newest first, each on exactly one page",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const made = yield* Given.registeredTogether(5)
      const tenant = made[0]?.tenant
      const pages = yield* Given.allPages(2, (page) => apps.list(tenant, page))
      const newestFirst = made.map((app) => app.id).reverse()
      yield* equal(
        "the pages",
        pages.map(({ items }) => items.map((app) => app.id)),
        [newestFirst.slice(0, 2), newestFirst.slice(2, 4), newestFirst.slice(4)]
      )
      const whole = yield* apps.list(tenant, { limit: 5 })
      yield* equal("where a page that holds all is continued", whole.nextCursor, null)
      const everybody = yield* apps.list(undefined, { limit: 100 })
      yield* holds(
        "the newest App in the list of all Tenants",
        everybody.items.some((app) => app.id === newestFirst[0])
      )
    })
  ),

  law(
    "AppStore-7",
    "a change sets what it names, keeps the rest, and is what is read afterwards",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const app = yield* Given.registered({ policy: "reject" })
      const bystander = yield* Given.registered({ tenant: app.tenant })
      const healthCheck = { path: "/ready", intervalMillis: 200, timeoutSeconds: 9 }
      const first = yield* apps.change(app.id, { healthCheck })
      yield* equal("the changed App", { ...first, updatedAt: app.updatedAt }, { ...app, healthCheck })
      const second = yield* apps.change(app.id, { source: keyed })
      yield* equal(
        "the App after another change",
        { ...second, updatedAt: app.updatedAt },
        { ...app, healthCheck, source: open(keyed) }
      )
      yield* equal("the App that is read", yield* apps.get(app.id), second)
      yield* equal("another App", yield* apps.get(bystander.id), bystander)
    })
  ),

  law(
    "X9",
    "the command before a deploy is set, stays while something else changes, and is taken away",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const app = yield* Given.registered()
      const preDeploy = ["migrate", 'it\'s "quoted"'] as const
      yield* equal("the command", (yield* apps.change(app.id, { preDeploy })).preDeploy, preDeploy)
      const kept = yield* apps.change(app.id, { source: Given.archive })
      yield* equal("the command after another change", kept.preDeploy, preDeploy)
      yield* equal("the command that was taken away", (yield* apps.change(app.id, { preDeploy: null })).preDeploy, null)
      yield* equal("the App that is read", (yield* apps.get(app.id)).preDeploy, null)
    })
  ),

  law(
    "INV-11",
    "no App that is answered holds the deploy key of its Source",
    Effect.gen(function* () {
      const apps = yield* AppStore
      const app = yield* Given.registered({ source: keyed })
      const { items } = yield* apps.list(app.tenant, { limit: 10 })
      const answers = JSON.stringify([
        app,
        yield* apps.get(app.id),
        items,
        yield* apps.change(app.id, { source: keyed })
      ])
      yield* holds("answers without a key", !answers.includes("deployKey") && !answers.includes(key))
      yield* equal("the source that is shown", app.source, open(keyed))
    })
  ),

  law(
    "X12",
    "registering an App writes one Event, and a refused registration none",
    Effect.gen(function* () {
      const app = yield* Given.registered()
      yield* refused("AppNameTaken", Given.registered({ tenant: app.tenant, name: app.name }))
      const events = yield* Given.eventsOf(app.tenant)
      const seen = events.map(({ type, app, subject, tenant }) => ({ type, app, subject, tenant }))
      yield* equal("the Events", seen, [{ type: "app.live", app: app.id, subject: app.id, tenant: app.tenant }])
    })
  )
]
