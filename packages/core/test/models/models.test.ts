// The memory layers keep what the models say of them, whatever is asked in whatever order.

import { describe, test } from "vitest"
import * as Models from "../../../../test/harness/models/models.ts"
import { expectProperty, holds } from "../../../../test/harness/models/properties.ts"
import { memoryPorts } from "./memoryPorts.ts"

const trial = { ports: memoryPorts(), maxCommands: 40, width: 1 }

describe("the memory layers, asked for one thing after the other", { timeout: 600_000 }, () => {
  test("INV-1 INV-13: a Deployment has one holder or can be taken, and only the newest Fence writes", () =>
    expectProperty(holds(Models.holding, trial), 60))

  test("INV-2 U5: at most one Deployment of an App waits and one is in progress, as Policies say, and a delivery makes one", () =>
    expectProperty(holds(Models.activity, trial), 60))

  test("INV-3: a Tenant never has more running than its cap, no Slot is lost, and the queue is served in order", () =>
    expectProperty(holds(Models.slots, trial), 60))

  test("INV-1 INV-3 K3: Jobs and Deployments share the Slots of their Tenant, in one queue, and only the newest Fence writes", () =>
    expectProperty(holds(Models.jobs, trial), 60))

  test("INV-4: what was asked to stop ends so, at once while it waits, and never becomes healthy", () =>
    expectProperty(holds(Models.stops, trial), 60))

  test("INV-5: an Env is what its changes make of it, and each Revision can be read for ever", () =>
    expectProperty(holds(Models.envs, trial), 60))

  test("INV-6: an App that is not live begins nothing, takes no traffic and gets no Release", () =>
    expectProperty(holds(Models.liveness, trial), 60))

  test("INV-7: what was made is in the Journal until it is released, and is owned or told to be nobody's", () =>
    expectProperty(holds(Models.ownership, trial), 60))

  test("INV-8 INV-9: the current Release is that of the last healthy Deployment, and numbers have no gap", () =>
    expectProperty(holds(Models.releases, trial), 60))

  test("U7 X12: every transition is one Event, in the order in which they happened", () =>
    expectProperty(holds(Models.events, trial), 60))
})

describe("the memory layers, asked for several things at the same time", { timeout: 600_000 }, () => {
  test("INV-1 INV-2 INV-3 INV-4 INV-5 INV-6 INV-7 INV-8 INV-13 U5 U7: some order explains all answers and all that is left", () =>
    expectProperty(holds(Models.everything, { ...trial, maxCommands: 25, width: 4 }), 25))
})
