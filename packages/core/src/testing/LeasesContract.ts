// What every keeper of named leases keeps: one holder at a time, and a Fence that grows with each change of holder.
import { Duration, Effect } from "effect"
import { Leases } from "../port/Leases.ts"
import { type Contract, equal, eventually, holds, law, present } from "./Contract.ts"
import * as Given from "./Fixture.ts"

const long = Duration.minutes(10)
const short = Duration.millis(300)

const freshName = Effect.map(Given.freshLetters, (letters) => `contract-${letters}`)

/** The laws of {@link Leases}. */
export const LeasesContract: Contract<Leases> = [
  law(
    "INV-13",
    "a lease that is held is given to nobody else, and its holder may extend it under the same Fence",
    Effect.gen(function* () {
      const leases = yield* Leases
      const [name, one, other] = [yield* freshName, yield* Given.freshReplica, yield* Given.freshReplica]
      const fence = yield* present("a Fence", yield* leases.acquire(name, one, long))
      yield* equal("the answer to another", yield* leases.acquire(name, other, long), undefined)
      yield* equal("the answer to the holder", yield* leases.acquire(name, one, long), fence)
      yield* equal("the answer to another", yield* leases.acquire(name, other, long), undefined)
    })
  ),

  law(
    "INV-13",
    "of eight that ask for a free lease at the same time exactly one gets it",
    Effect.gen(function* () {
      const leases = yield* Leases
      const name = yield* freshName
      const replicas = yield* Effect.all(Array.from({ length: 8 }, () => Given.freshReplica))
      const ask = Effect.all(
        replicas.map((replica) => leases.acquire(name, replica, long)),
        { concurrency: "unbounded" }
      )
      const answers = yield* ask
      yield* equal("how many get it", answers.filter((fence) => fence !== undefined).length, 1)
      yield* equal("the answers to the same again", yield* ask, answers)
    })
  ),

  law(
    "INV-13",
    "a lease that is given back is free at once, and its Fence grows with each new holder",
    Effect.gen(function* () {
      const leases = yield* Leases
      const [name, one, other] = [yield* freshName, yield* Given.freshReplica, yield* Given.freshReplica]
      const first = yield* present("a Fence", yield* leases.acquire(name, one, long))
      yield* leases.release(name, one)
      const second = yield* present("a Fence", yield* leases.acquire(name, other, long))
      yield* leases.release(name, other)
      const third = yield* present("a Fence", yield* leases.acquire(name, one, long))
      yield* holds("growing Fences", first < second && second < third, [first, second, third])
    })
  ),

  law(
    "INV-13",
    "giving back what one does not hold changes nothing",
    Effect.gen(function* () {
      const leases = yield* Leases
      const [name, one, other] = [yield* freshName, yield* Given.freshReplica, yield* Given.freshReplica]
      yield* leases.release(name, other)
      const fence = yield* present("a Fence", yield* leases.acquire(name, one, long))
      yield* leases.release(name, other)
      yield* equal("the answer to another", yield* leases.acquire(name, other, long), undefined)
      yield* equal("the answer to the holder", yield* leases.acquire(name, one, long), fence)
    })
  ),

  law(
    "Leases-1",
    "leases of different names have nothing to do with each other",
    Effect.gen(function* () {
      const leases = yield* Leases
      const [name, one, other] = [yield* freshName, yield* Given.freshReplica, yield* Given.freshReplica]
      yield* present("a Fence", yield* leases.acquire(name, one, long))
      yield* present("a Fence of the other lease", yield* leases.acquire(`${name}-other`, other, long))
      yield* leases.release(`${name}-other`, other)
      yield* equal("the answer to another", yield* leases.acquire(name, other, long), undefined)
    })
  ),

  law(
    "INV-13",
    "a lease that is not extended runs out, and then belongs to who asks first, under a higher Fence",
    Effect.gen(function* () {
      const leases = yield* Leases
      const [name, one, other] = [yield* freshName, yield* Given.freshReplica, yield* Given.freshReplica]
      const first = yield* present("a Fence", yield* leases.acquire(name, one, short))
      yield* Effect.sleep(short)
      const asking = leases.acquire(name, other, long)
      const taken = yield* eventually("a lease that has run out", asking, (fence) => fence !== undefined)
      const second = yield* present("a Fence", taken)
      yield* holds("a higher Fence", first < second, [first, second])
      yield* equal("the answer to the earlier holder", yield* leases.acquire(name, one, long), undefined)
      yield* leases.release(name, one)
      yield* equal("the answer to the new holder", yield* leases.acquire(name, other, long), second)
    })
  ),

  law(
    "H22",
    "a lease that is extended lasts from then on",
    Effect.gen(function* () {
      const leases = yield* Leases
      const [name, one, other] = [yield* freshName, yield* Given.freshReplica, yield* Given.freshReplica]
      const fence = yield* present("a Fence", yield* leases.acquire(name, one, short))
      yield* equal("the answer to the holder", yield* leases.acquire(name, one, long), fence)
      yield* Effect.sleep(Duration.sum(short, Duration.millis(100)))
      yield* equal("the answer to another", yield* leases.acquire(name, other, long), undefined)
    })
  )
]
