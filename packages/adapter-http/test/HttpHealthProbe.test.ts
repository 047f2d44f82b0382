// What counts as healthy, and what is said about what does not. Real servers on this machine.
import type { HealthCheck } from "@lockkeeper/core/domain/HealthCheck"
import type { Address } from "@lockkeeper/core/domain/Workload"
import { HealthProbe } from "@lockkeeper/core/port/HealthProbe"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { createServer, type Socket } from "node:net"
import * as HttpHealthProbe from "../src/HttpHealthProbe.ts"
import { at, freePort, serve } from "./support/http.ts"

const tcp: HealthCheck = { intervalMillis: 500, timeoutSeconds: 60 }

const http: HealthCheck = { ...tcp, path: "/healthz?deep=1" }
