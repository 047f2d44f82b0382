// Carries out a Run that has begun: its nodes are made, its steps are taken, and whatever happens, nothing is left of it.
import { Cause, Effect, Exit, type Scope } from "effect"
import { makeRedactor } from "../domain/Redactor.ts"
import type { Run } from "../domain/Run.ts"
import type { HealthProbe } from "../port/HealthProbe.ts"
import { LogName, type LogStore } from "../port/LogStore.ts"
import { Providers } from "../port/Providers.ts"
import { RunStore } from "../port/RunStore.ts"
import type { SourceFetcher } from "../port/SourceFetcher.ts"
import type { StoreError } from "../port/StoreError.ts"
import type { Restore } from "./admission.ts"
import { type LogWriter, openLog } from "./DeploymentLog.ts"
import { type CarriedOut, endRun, type EndPorts, type Interruption, presentRun } from "./endRun.ts"
import { holdSubnet } from "./holdSubnet.ts"
import { holdJob } from "./lease.ts"
import { provision, secretsIn } from "./provision.ts"
import type { Replica } from "./Replica.ts"
import { RunDeadlines } from "./runDeadlines.ts"
import { failed, failedBy, type RunError, type RunInHand, type RunPlace, within } from "./RunInHand.ts"
import { untilWritten } from "./untilWritten.ts"
import { startNodes } from "./startNodes.ts"
import { runStopped } from "./stop.ts"
import { takeSteps } from "./takeSteps.ts"

/** The ports that carrying out a Run needs. */
export type RunPorts = EndPorts | HealthProbe | LogStore | Replica | SourceFetcher

/**
 * Carries out a Run under the lease and Fence of its Slot, and answers how it ended; everything that it made is gone then,
 * or its `cleanup` is pending. When this server stops it has failed with `server_lost`, unless it is only kept: then it is
 * answered as it stands, and another server keeps it. When its lease is lost, whoever takes it next decides.
 */
export const carryOutRun = Effect.fn("carryOutRun")(function* (
  hand: RunInHand
): Effect.fn.Return<Run, StoreError, RunPorts> {
  yield* Effect.annotateCurrentSpan({ run: hand.run.run.id, tenant: hand.run.run.tenant })
  return yield* Effect.uninterruptibleMask((restore) => carriedOut(hand, "stops", restore))
})

/** Opens the log of a Run. Neither it nor the Run's error holds a secret that is known by now. */
export const openRunLog = Effect.fnUntraced(function* ({
  run: { credentials, run, topology }
}: RunInHand): Effect.fn.Return<LogWriter, never, LogStore | Scope.Scope> {
  return yield* openLog(LogName.make(`run/${run.id}`), makeRedactor([...secretsIn(topology), ...credentials.values()]))
})

/** The same within a region that cannot be interrupted, but for what `restore` is applied to. */
export const carriedOut = (
  hand: RunInHand,
  interruption: Interruption,
  restore: Restore
): Effect.Effect<Run, StoreError, RunPorts> => Effect.scoped(carriedOutIn(hand, interruption, restore))

const carriedOutIn = Effect.fnUntraced(function* (hand: RunInHand, interruption: Interruption, restore: Restore) {
  const lost = yield* holdJob(hand.slot)
  const log = yield* openRunLog(hand)
  const scope = yield* Effect.scope
  const cut = Effect.raceFirst(lost, Effect.scoped(runStopped(hand)))
  const work = Effect.scoped(Effect.andThen(holdSubnet(hand), perform(hand, log, scope)))
  const exit = yield* Effect.exit(restore(Effect.raceFirst(work, cut)))

  if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) {
    yield* Effect.logError(`${hand.run.run.id} ended by a defect`, exit.cause)
  }
  const became = becameOf(exit, interruption)
  if (became === "lost") return yield* presentRun(hand)
  return yield* endRun({ hand, log, lost, restore, interruption }, became)
})

/** Makes the nodes and takes the steps. */
const perform = Effect.fnUntraced(function* (hand: RunInHand, log: LogWriter, scope: Scope.Scope) {
  const providers = yield* Providers
  const runs = yield* RunStore
  const limits = yield* RunDeadlines
  const provider = yield* Effect.catchTags(providers.of(hand.run.run.target), {
    TargetNotKnown: ({ message }) => failed("provider_unavailable", message),
    ProviderError: (error) => failedBy(null)(error)
  })
  const place: RunPlace = { ...hand, provider, log, scope }

  const provisioned = Effect.gen(function* () {
    const made = yield* provision(place)
    return { plan: made.plan, nodes: yield* startNodes(place, made) }
  })
  const { nodes, plan } = yield* within(limits.provisioning, "provisioning", provisioned)

  yield* untilWritten(runs.running(hand.run))
  yield* takeSteps(place, plan.steps, nodes)
})

/** What the way in which the work ended means for the Run. */
const becameOf = (exit: Exit.Exit<void, RunError>, interruption: Interruption): CarriedOut | "lost" => {
  if (Exit.isSuccess(exit)) return "carried out"
  const found = Cause.findErrorOption(exit.cause)
  if (found._tag === "None") {
    if (!Cause.hasInterruptsOnly(exit.cause)) {
      return { code: "internal", detail: "an internal error; the server's log has it", node: null }
    }
    return interruption === "cancels" ? "cancelled" : serverLost
  }
  const error = found.value
  switch (error._tag) {
    case "RunFailed":
      return error.failure
    case "RunStopped":
      return "cancelled"
    case "LeaseLost":
      return "lost"
    case "StoreError":
      return { code: "store_unavailable", detail: error.message, node: null }
  }
}

/** What a Run says whose server is gone. */
export const serverLost: CarriedOut = {
  code: "server_lost",
  detail: "the server that carried it out is gone",
  node: null
}
