// The RunStore with a failpoint around each call of a method, as failpointPorts.ts has it for others.
import { RunStore } from "../port/RunStore.ts"
import type { StoreError } from "../port/StoreError.ts"
import { aroundStore } from "./failpointPorts.ts"

/** Answers the same store with a failpoint around each call of a method, refused as if its technology were away. */
export const failpointRunStore = (
  port: RunStore["Service"],
  reason: () => StoreError["reason"] = () => "unavailable"
): RunStore["Service"] => {
  const around = aroundStore(reason)
  return RunStore.of({
    create: (request) => around("RunStore.create", port.create(request)),
    get: (run) => around("RunStore.get", port.get(run)),
    list: (filter, page) => around("RunStore.list", port.list(filter, page)),
    take: (job, fence) => around("RunStore.take", port.take(job, fence)),
    record: (claim, progress) => around("RunStore.record", port.record(claim, progress)),
    running: (claim) => around("RunStore.running", port.running(claim)),
    settle: (claim, outcome) => around("RunStore.settle", port.settle(claim, outcome)),
    tearDown: (claim, seen) => around("RunStore.tearDown", port.tearDown(claim, seen)),
    finish: (claim, cleanup) => around("RunStore.finish", port.finish(claim, cleanup)),
    requestCancel: (run) => around("RunStore.requestCancel", port.requestCancel(run)),
    stopRequested: (run) => around("RunStore.stopRequested", port.stopRequested(run)),
    keep: (run, until) => around("RunStore.keep", port.keep(run, until)),
    uncleaned: (limit) => around("RunStore.uncleaned", port.uncleaned(limit)),
    cleaned: (run) => around("RunStore.cleaned", port.cleaned(run)),
    unowned: (runs) => around("RunStore.unowned", port.unowned(runs))
  })
}
