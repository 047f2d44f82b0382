// The orders in which two can take turns, as a tree that is found out by walking it: at each point where both could go
// somebody is chosen. No order is walked twice. Without a limit all are walked; with one, a sample from a seed.

/** Chooses who goes on. */
export type Choose<Name> = (ready: readonly [Name, Name]) => Name

/** One way through the tree, from the root until it ends. */
interface Walk<Name> {
  readonly choose: Choose<Name>
  readonly end: () => void
}

interface Point<Name> {
  ready: ReadonlyArray<Name>
  readonly next: Map<Name, Point<Name>>
  isDone: boolean
}

/** A source of numbers from 0 to 1 that depends on the seed alone. */
const seeded = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
  }
}

const newPoint = <Name>(): Point<Name> => ({ ready: [], next: new Map(), isDone: false })

/** How many ways there are: those that are known, and as many below each unknown turning as below the known ones. */
const waysFrom = <Name>({ next, ready }: Point<Name>): number => {
  if (next.size === 0) return 1
  const known = [...next.values()].map(waysFrom)
  return (known.reduce((sum, ways) => sum + ways, 0) / known.length) * ready.length
}

/** Begins a tree. `only` is one way alone, by who is chosen at each point. */
export const scheduleTree = <Name extends string>(extent: {
  readonly limit?: number | undefined
  readonly seed?: number | undefined
  readonly only?: string | undefined
}) => {
  const root = newPoint<Name>()
  const random = seeded(extent.seed ?? 1)
  const limit = extent.only === undefined ? (extent.limit ?? Number.POSITIVE_INFINITY) : 1
  let tried = 0

  const walk = (): Walk<Name> => {
    const path = [root]
    const choose: Choose<Name> = (ready) => {
      const point = path.at(-1) ?? root
      if (point.next.size > 0 && point.ready.join() !== ready.join()) {
        throw new Error(`the same order led to ${ready.join()} and to ${point.ready.join()}: a run depends on chance`)
      }
      point.ready = ready
      const open = ready.filter((name) => point.next.get(name)?.isDone !== true)
      const wanted = ready.find((name) => name === extent.only?.[path.length - 1])
      const chosen = wanted ?? open[extent.limit === undefined ? 0 : Math.floor(random() * open.length)] ?? ready[0]
      const next = point.next.get(chosen) ?? newPoint<Name>()
      point.next.set(chosen, next)
      path.push(next)
      return chosen
    }
    const end = (): void => {
      tried += 1
      for (const point of path.reverse()) {
        point.isDone = point.ready.every((name) => point.next.get(name)?.isDone === true)
      }
    }
    return { choose, end }
  }

  return {
    /** The next way, unless there are enough or no others. */
    next: (): Walk<Name> | undefined => (tried >= limit || root.isDone ? undefined : walk()),
    /** How many ways were tried, and how many there are: exactly when all were tried, else about. */
    size: () => ({ tried, total: Math.round(waysFrom(root)), isComplete: root.isDone })
  }
}
