// An id never passes for an address, and an address never for an id.

import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { Address, ImageDigest, IpAddress, WorkloadId, WorkloadName } from "../src/domain/Workload.ts"

const isIp = Schema.is(IpAddress)
const isId = Schema.is(WorkloadId)
const isName = Schema.is(WorkloadName)

const Octet = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
const containerId = "4c01db0b339c4a7f".repeat(4)

describe("an IpAddress", () => {
  it.prop("H15 is four numbers up to 255", [Octet, Octet, Octet, Octet], (octets) => {
    expect(isIp(octets.join("."))).toBe(true)
    expect(isId(octets.join("."))).toBe(false)
  })

  const large = Schema.Int.check(Schema.isBetween({ minimum: 256, maximum: 99_999 }))
  const place = Schema.Literals([0, 1, 2, 3])

  it.prop("H15 has no larger number in any place", [Octet, large, place], ([octet, number, at]) => {
    expect(isIp([0, 1, 2, 3].map((index) => (index === at ? number : octet)).join("."))).toBe(false)
  })

  const parts = ["", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3", "1..2.3", "1,2,3,4", " 1.2.3.4", "1.2.3.4\n"]
  const octets = ["01.2.3.4", "1.2.3.04", "001.2.3.4", "-1.2.3.4", "0x7f.1.1.1", "1.2.3.a"]
  const others = ["localhost", "none", "1.2.3.4:80", "1.2.3.4/24", "::1", containerId, "4242:173952"]

  it.each([...parts, ...octets, ...others])("H15 is not %j", (value) => {
    expect(isIp(value)).toBe(false)
  })
})

describe("a WorkloadId", () => {
  it.each([containerId, "4242:173952", "memory-1", "a"])("H15 is %s", (value) => {
    expect([isId(value), isIp(value)]).toEqual([true, false])
  })

  it.each(["", "127.0.0.1", "A1", "a b", "-a", "a/b", "a\n", "../a", "a".repeat(129)])("H15 is not %j", (value) => {
    expect(isId(value)).toBe(false)
  })
})

describe("a WorkloadName", () => {
  it.each(["a", "dep_1-2-1", "9lives"])("B19 is %s", (value) => {
    expect(isName(value)).toBe(true)
  })

  it.each(["", "-a", "--rm", "_a", "a b", "A", "a.b", "a/b", "a\n", "a".repeat(122)])("B19 is not %j", (value) => {
    expect(isName(value)).toBe(false)
  })
})

describe("an ImageDigest", () => {
  it("INV-9 is a whole SHA-256 digest", () => {
    const isDigest = Schema.is(ImageDigest)
    expect(isDigest(`sha256:${containerId}`)).toBe(true)
    const refused = ["", "nginx:latest", containerId, `sha256:${containerId.slice(1)}`, `sha512:${containerId}`]
    expect(refused.filter((value) => isDigest(value))).toEqual([])
  })
})

describe("an Address", () => {
  it.each([0, -1, 65_536, 1.5, Number.NaN])("H15 has no port %d", (port) => {
    expect(Schema.is(Address)({ host: "127.0.0.1", port })).toBe(false)
  })

  it("H15 is an IpAddress and a port, not an id and a port", () => {
    expect(Schema.is(Address)({ host: "127.0.0.1", port: 65_535 })).toBe(true)
    expect(Schema.is(Address)({ host: containerId, port: 80 })).toBe(false)
  })
})
