// What the handlers must know of the server that they run in.
import { Context, type Effect } from "effect"

/** Facts about the running server. */
export class ServerInfo extends Context.Service<
  ServerInfo,
  {
    /** What the server was built from. */
    readonly build: string
    /** The database schema that this build needs. */
    readonly schemaVersion: number
    /** The host part of the Apps' addresses. */
    readonly appHost: string
    /** Why the server takes no requests now; empty when it does. */
    readonly notReady: Effect.Effect<ReadonlyArray<string>>
  }
>()("@lockkeeper/adapter-http/ServerInfo") {}
