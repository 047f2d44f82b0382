// Hints that make the mistakes their contract exists for.

import { Effect, Latch, PubSub, Queue } from "effect"
import { Hints, type HintTopic } from "../../src/port/Hints.ts"
import { altered, type Broken } from "./Broken.ts"

/** Something of its own for each topic, made when it is first asked for. */
const perTopic = <A>(make: () => A): ((topic: HintTopic) => A) => {
  const made = new Map<HintTopic, A>()
  return (topic) => {
    const known = made.get(topic) ?? make()
    made.set(topic, known)
    return known
  }
}

/** Broken Hints. */
export const brokenHints: ReadonlyArray<Broken> = [
  {
    what: "Hints that nobody is told of",
    contract: "Hints",
    violates: ["Hints-1", "Hints-2", "Hints-3"],
    layer: altered(Hints, () => ({ give: () => Effect.void }))
  },
  {
    what: "Hints that only those hear who wait already",
    contract: "Hints",
    violates: ["Hints-2"],
    layer: altered(Hints, () => {
      const latchOf = perTopic(() => Latch.makeUnsafe())
      return {
        give: (topic) => Effect.asVoid(latchOf(topic).release),
        listen: (topic) => Effect.succeed((atMost) => Effect.asVoid(Effect.timeoutOption(latchOf(topic).await, atMost)))
      }
    })
  },
  {
    what: "Hints that one of those hears who listen",
    contract: "Hints",
    violates: ["Hints-3"],
    layer: altered(Hints, () => {
      const queueOf = perTopic(() => Effect.runSync(Queue.make<void>({ capacity: 1, strategy: "sliding" })))
      return {
        give: (topic) => Effect.asVoid(Queue.offer(queueOf(topic), undefined)),
        listen: (topic) =>
          Effect.succeed((atMost) => Effect.asVoid(Effect.timeoutOption(Queue.take(queueOf(topic)), atMost)))
      }
    })
  },
  {
    what: "Hints that are of every topic",
    contract: "Hints",
    violates: ["Hints-4"],
    layer: altered(Hints, (original) => ({
      give: () => original.give("deployments"),
      listen: () => original.listen("deployments")
    }))
  },
  {
    what: "Hints without which a wait has no end",
    contract: "Hints",
    violates: ["Hints-5"],
    layer: altered(Hints, (original) => ({
      listen: (topic) => Effect.map(original.listen(topic), (wait) => () => wait("25 seconds"))
    }))
  },
  {
    what: "Hints that are told again and again",
    contract: "Hints",
    violates: ["Hints-6"],
    layer: altered(Hints, (original) => {
      const given = new Map<HintTopic, number>()
      return {
        give: (topic) =>
          Effect.suspend(() => {
            given.set(topic, (given.get(topic) ?? 0) + 1)
            return original.give(topic)
          }),
        listen: (topic) =>
          Effect.map(
            original.listen(topic),
            (wait) => (atMost) => ((given.get(topic) ?? 0) > 50 ? Effect.void : wait(atMost))
          )
      }
    })
  },
  {
    what: "Hints that wait for who listens",
    contract: "Hints",
    violates: ["Hints-7"],
    layer: altered(Hints, () => {
      const heardOf = perTopic(() => Effect.runSync(PubSub.bounded<void>(128)))
      return {
        give: (topic) => Effect.asVoid(PubSub.publish(heardOf(topic), undefined)),
        listen: (topic) =>
          Effect.map(
            PubSub.subscribe(heardOf(topic)),
            (heard) => (atMost) => Effect.asVoid(Effect.timeoutOption(PubSub.takeAll(heard), atMost))
          )
      }
    })
  }
]
