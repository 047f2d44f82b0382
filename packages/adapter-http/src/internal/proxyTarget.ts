// One address that requests are led to, with how many of them are in flight. An address that is left and comes back is
// another target: its earlier requests are counted apart.
import type { Address } from "@lockkeeper/core/domain/Workload"
import { Agent } from "node:http"

/** Where requests are led. */
export interface Target {
  readonly address: Address
  /** Keeps connections to the address. */
  readonly agent: Agent
  /** Counts a request in; what it returns counts it out, once. */
  readonly enter: () => () => void
  /** No further request is led here. */
  readonly retire: () => void
  readonly isIdle: () => boolean
}

/** Makes a target; `onIdle` is called when the last request in flight to a retired one is over. */
export const makeTarget = (address: Address, onIdle: () => void): Target => {
  const agent = new Agent({ keepAlive: true })
  let inFlight = 0
  let isRetired = false
  return {
    address,
    agent,
    enter: () => {
      inFlight++
      let isInside = true
      return () => {
        if (!isInside) return
        isInside = false
        inFlight--
        if (!isRetired || inFlight > 0) return
        agent.destroy()
        onIdle()
      }
    },
    retire: () => {
      isRetired = true
      if (inFlight === 0) agent.destroy()
    },
    isIdle: () => inFlight === 0
  }
}

/** Whether two addresses are the same. */
export const isSameAddress = (one: Address, other: Address): boolean =>
  one.host === other.host && one.port === other.port
