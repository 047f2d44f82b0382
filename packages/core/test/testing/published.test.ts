// The checker on histories whose verdict is known from the literature or follows from the definition, written by hand.

import { describe, expect, it } from "@effect/vitest"
import { type EnvInput, envMap, type EnvOutput } from "../../src/testing/envMap.ts"
import type { Operation } from "../../src/testing/History.ts"
import { linearizable } from "../../src/testing/linearizable.ts"
import { type StatusInput, type StatusOutput, statusRegister } from "../../src/testing/statusRegister.ts"
import { failed, ok, unknown } from "../support/histories.ts"
import {
  queue,
  type QueueInput,
  register,
  type RegisterInput,
  type RegisterOutput
} from "../support/registerAndQueue.ts"

interface Case<Input, Output> {
  readonly what: string
  readonly verdict: "linearizable" | "notLinearizable"
  readonly history: ReadonlyArray<Operation<Input, Output>>
}

const put = (value: string): QueueInput => ({ type: "put", value })
const take: QueueInput = { type: "take" }
const write = (value: number): RegisterInput => ({ type: "write", value })
const read: RegisterInput = { type: "read" }
const compareAndSet = (from: number, to: number): RegisterInput => ({ type: "compareAndSet", from, to })

// Herlihy and Wing, "Linearizability: A Correctness Condition for Concurrent Objects", TOPLAS 12(3), 1990, Figure 1.
const queueHistories: ReadonlyArray<Case<QueueInput, string | null>> = [
  {
    what: "concurrent puts that are taken in the other order (Herlihy and Wing, Figure 1a)",
    verdict: "linearizable",
    history: [
      ok("A", [0, 3], put("x"), null),
      ok("B", [1, 2], put("y"), null),
      ok("B", [4, 5], take, "x"),
      ok("A", [6, 7], take, "y"),
      unknown("A", 8, put("z"))
    ]
  },
  {
    what: "a value that overtakes one that was put before it (Herlihy and Wing, Figure 1b)",
    verdict: "notLinearizable",
    history: [ok("A", [0, 1], put("x"), null), ok("B", [2, 4], put("y"), null), ok("A", [3, 5], take, "y")]
  },
  {
    what: "a value that is taken while its put is pending (Herlihy and Wing, Figure 1c)",
    verdict: "linearizable",
    history: [unknown("A", 0, put("x")), ok("B", [1, 2], take, "x")]
  },
  {
    what: "a value that is taken twice (Herlihy and Wing, Figure 1d)",
    verdict: "notLinearizable",
    history: [
      ok("A", [0, 2], put("x"), null),
      ok("B", [1, 3], put("y"), null),
      ok("A", [4, 6], take, "y"),
      ok("C", [5, 7], take, "y")
    ]
  }
]

const registerHistories: ReadonlyArray<Case<RegisterInput, RegisterOutput>> = [
  {
    what: "reads of the old and the new value while a write is pending (Porcupine, README, first example)",
    verdict: "linearizable",
    history: [ok("C0", [0, 100], write(100), null), ok("C1", [25, 75], read, 100), ok("C2", [30, 60], read, 0)]
  },
  {
    what: "the old value after the new one (Porcupine, README, second example; the inversion of Lamport 1986)",
    verdict: "notLinearizable",
    history: [ok("C0", [0, 100], write(200), null), ok("C1", [10, 30], read, 200), ok("C2", [40, 90], read, 0)]
  },
  {
    what: "a crashed write whose value is read (Knossos, README)",
    verdict: "linearizable",
    history: [ok("0", [0, 3], read, 3), unknown("1", 1, write(3))]
  },
  {
    what: "a value that nobody wrote (Knossos, README, from a test of RethinkDB)",
    verdict: "notLinearizable",
    history: [
      ok("0", [0, 1], write(0), null),
      ok("1", [2, 4], read, 3),
      ok("2", [3, 5], write(4), null),
      ok("3", [6, 7], read, 4)
    ]
  },
  {
    what: "a stale read: a write returned before the read of what it replaced began",
    verdict: "notLinearizable",
    history: [ok("A", [0, 1], write(1), null), ok("A", [2, 3], write(2), null), ok("B", [4, 5], read, 1)]
  },
  {
    what: "two operations that touch in time, in either order",
    verdict: "linearizable",
    history: [ok("A", [0, 1], write(1), null), ok("B", [1, 2], read, 0)]
  },
  {
    what: "a lost update: two of the same compare-and-set succeed",
    verdict: "notLinearizable",
    history: [ok("A", [0, 5], compareAndSet(0, 1), true), ok("B", [1, 4], compareAndSet(0, 1), true)]
  },
  {
    what: "an unknown write that takes effect long after its call",
    verdict: "linearizable",
    history: [
      unknown("A", 0, write(7)),
      ok("B", [1, 2], read, 0),
      ok("B", [3, 4], write(1), null),
      ok("B", [5, 6], read, 7)
    ]
  },
  {
    what: "an unknown write that is seen, and then unseen",
    verdict: "notLinearizable",
    history: [unknown("A", 0, write(7)), ok("B", [1, 2], read, 7), ok("B", [3, 4], read, 0)]
  },
  {
    what: "an unknown write that is seen twice with another value between",
    verdict: "notLinearizable",
    history: [
      unknown("A", 0, write(7)),
      ok("B", [1, 2], read, 7),
      ok("B", [3, 4], write(1), null),
      ok("B", [5, 6], read, 7)
    ]
  },
  {
    what: "a failed write that is seen all the same",
    verdict: "notLinearizable",
    history: [failed("A", [0, 1], write(7)), ok("B", [2, 3], read, 7)]
  },
  {
    what: "a value read before the write of it is called",
    verdict: "notLinearizable",
    history: [ok("B", [0, 1], read, 7), unknown("A", 2, write(7))]
  }
]

describe("X18 the checker judges a queue with", () => {
  it.each(queueHistories)("$what: $verdict", ({ history, verdict }) => {
    expect(linearizable(queue, history).type).toBe(verdict)
  })
})

describe("X18 the checker judges a register with", () => {
  it.each(registerHistories)("$what: $verdict", ({ history, verdict }) => {
    expect(linearizable(register, history).type).toBe(verdict)
  })
})

const merge = (changes: Record<string, string | null>) => ({ type: "merge", changes }) as const
const readEnv = { type: "read" } as const
const revised = (revision: number) => ({ type: "revised", revision }) as const

const envHistories: ReadonlyArray<Case<EnvInput, EnvOutput>> = [
  {
    what: "a lost update: of two concurrent merges one is gone",
    verdict: "notLinearizable",
    history: [
      ok("A", [0, 5], merge({ A: "1" }), revised(1)),
      ok("B", [1, 6], merge({ B: "2" }), revised(2)),
      ok("A", [7, 8], readEnv, { type: "read", revision: 2, entries: { B: "2" } })
    ]
  },
  {
    what: "concurrent merges that both survive",
    verdict: "linearizable",
    history: [
      ok("A", [0, 5], merge({ A: "1" }), revised(2)),
      ok("B", [1, 6], merge({ B: "2" }), revised(1)),
      ok("A", [7, 8], readEnv, { type: "read", revision: 2, entries: { A: "1", B: "2" } })
    ]
  },
  {
    what: "two changes that were told the same revision",
    verdict: "notLinearizable",
    history: [ok("A", [0, 5], merge({ A: "1" }), revised(1)), ok("B", [1, 6], merge({ B: "2" }), revised(1))]
  },
  {
    what: "a revision that is skipped",
    verdict: "notLinearizable",
    history: [ok("A", [0, 1], merge({ A: "1" }), revised(1)), ok("A", [2, 3], merge({ A: "2" }), revised(3))]
  },
  {
    what: "a revision that an unanswered merge took",
    verdict: "linearizable",
    history: [
      ok("A", [0, 1], merge({ A: "1" }), revised(1)),
      unknown("B", 0, merge({ B: "1" })),
      ok("A", [2, 3], merge({ A: "2" }), revised(3))
    ]
  }
]

describe("X18 the checker judges an Env with", () => {
  it.each(envHistories)("$what: $verdict", ({ history, verdict }) => {
    expect(linearizable(envMap, history).type).toBe(verdict)
  })
})

const takeOver = { type: "takeOver" } as const
const build = (fence: number) => ({ type: "transition", from: ["queued"], to: "building", fence }) as const
const moved = { type: "moved" } as const

const statusHistories: ReadonlyArray<Case<StatusInput, StatusOutput>> = [
  {
    what: "a write with an old fence that is accepted after a takeover",
    verdict: "notLinearizable",
    history: [
      ok("A", [0, 1], takeOver, { type: "taken", fence: 1 }),
      ok("B", [2, 3], takeOver, { type: "taken", fence: 2 }),
      ok("A", [4, 5], build(1), moved)
    ]
  },
  {
    what: "a write with an old fence that races with the takeover",
    verdict: "linearizable",
    history: [
      ok("A", [0, 1], takeOver, { type: "taken", fence: 1 }),
      ok("B", [2, 5], takeOver, { type: "taken", fence: 2 }),
      ok("A", [3, 4], build(1), moved)
    ]
  },
  {
    what: "a fence that two owners hold",
    verdict: "notLinearizable",
    history: [
      ok("A", [0, 4], takeOver, { type: "taken", fence: 1 }),
      ok("B", [1, 3], takeOver, { type: "taken", fence: 1 })
    ]
  },
  {
    what: "a transition that wins twice",
    verdict: "notLinearizable",
    history: [ok("A", [0, 4], build(0), moved), ok("B", [1, 3], build(0), moved)]
  },
  {
    what: "a transition that is refused while it is allowed",
    verdict: "notLinearizable",
    history: [ok("A", [0, 1], build(0), { type: "refused" })]
  }
]

describe("X18 the checker judges a status with", () => {
  it.each(statusHistories)("$what: $verdict", ({ history, verdict }) => {
    expect(linearizable(statusRegister, history).type).toBe(verdict)
  })
})
