// Where an App's traffic should go, and how far that has been carried out.
import { Schema } from "effect"
import { AppId, HostPort } from "./App.ts"
import { Fence } from "./Lease.ts"
import { Address } from "./Workload.ts"

/** Counts the changes of all routes; strictly increasing. */
export const RouteVersion = Schema.Int.pipe(Schema.brand("RouteVersion"))

/** The type of {@link RouteVersion}. */
export type RouteVersion = typeof RouteVersion.Type

/** How far the newest version of a route was carried out, as the replica that holds the router reports it. */
export const RouteProgress = Schema.Literals(["wanted", "applied", "drained", "port_conflict"])

/** The type of {@link RouteProgress}. */
export type RouteProgress = typeof RouteProgress.Type

/** A route as it is kept. Without an address the App is not reached, and its port is free. */
export const RouteState = Schema.Struct({
  app: AppId,
  hostPort: HostPort,
  fence: Fence,
  address: Schema.NullOr(Address),
  version: RouteVersion,
  progress: RouteProgress
})

/** The type of {@link RouteState}. */
export interface RouteState extends Schema.Schema.Type<typeof RouteState> {}
