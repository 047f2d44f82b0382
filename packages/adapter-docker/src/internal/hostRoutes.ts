// The blocks of addresses that this host routes already: the engine accepts a network that cuts the host off from them.

import { parse, type Subnet } from "@lockkeeper/core/domain/Subnet"
import { Effect } from "effect"
import { readFile } from "node:fs/promises"

const table = "/proc/net/route"

/** Reads a little-endian hexadecimal address of the table. */
const addressOf = (hex: string): string =>
  [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".")

const prefixOf = (mask: string): number =>
  [...Number.parseInt(mask, 16).toString(2)].filter((bit) => bit === "1").length

/** The blocks in a routing table; the default route is none. */
export const parseRoutes = (text: string): ReadonlyArray<Subnet> =>
  text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, destination = "", , , , , , mask = ""] = line.split(/\s+/)
      if (!/^[0-9A-F]{8}$/.test(destination) || !/^[0-9A-F]{8}$/.test(mask) || /^0{8}$/.test(mask)) return []
      return parse(`${addressOf(destination)}/${prefixOf(mask)}`) ?? []
    })

/** The routes of this host. Where there is no such table, as with an engine in a virtual machine, there are none. */
export const hostRoutes: Effect.Effect<ReadonlyArray<Subnet>> = Effect.promise(() =>
  readFile(table, "utf8").then(parseRoutes, () => [])
)
