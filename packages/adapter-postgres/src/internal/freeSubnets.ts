// The statements about blocks of addresses that nobody has: one of them is given to an owner, and ranges are cut into them
// little by little, so that a pool costs nothing before it is used.

import { Fence } from "@lockkeeper/core/domain/Lease"
import { blocksIn, format, type Subnet, type SubnetSpan } from "@lockkeeper/core/domain/Subnet"
import type { SubnetPoolSpec, SubnetRequest } from "@lockkeeper/core/port/SubnetPool"
import { Duration, Schema } from "effect"
import { Int8 } from "./columns.ts"
import { type Database, rowsOf } from "./Database.ts"

/** A block that an owner has, whether somebody is clearing it, and how many blocks of its range are cut. */
const heldRows = rowsOf(
  Schema.Struct({
    net: Schema.String,
    fence: Int8.pipe(Schema.decodeTo(Fence)),
    clearing: Schema.Boolean,
    cut: Schema.NullOr(Int8)
  })
)

const cutRows = rowsOf(Schema.Struct({ cut: Int8 }))

const anyRows = rowsOf(Schema.Struct({ any: Schema.Boolean }))

/** How many blocks are cut off a range at once. */
const cutAtOnce = 1_024

/** The spans as two lists of blocks, in their order. */
const listsOf = (spans: ReadonlyArray<SubnetSpan>, prefix: number) => ({
  firsts: spans.map(({ first }) => format({ first, prefix })),
  lasts: spans.map(({ last }) => format({ first: last, prefix }))
})

/** Builds the statements. */
export const freeSubnets = ({ sql }: Database) => {
  /** The end of a time that begins now, on the database's clock, also after a wait for a lock. */
  const from = (duration: Duration.Duration) =>
    sql`clock_timestamp() + ${Duration.toMillis(duration)}::float8 * interval '1 millisecond'`

  /** Blocks of a size, here called l, that lie in the spans s, have rested, and of which nobody has or may yet reach an
   * address. The clock is read after the snapshot is taken: what was given back before that with no rest has rested. */
  const candidates = (prefix: number) => sql`free_subnets l
      where l.prefix = ${prefix} and l.net between s.first and s.last
        and (l.reusable_at is null or l.reusable_at <= clock_timestamp())
        and not exists (select from subnets h where h.net && l.net)
        and not exists (select from free_subnets r 
          where r.reusable_at is not null and r.reusable_at > clock_timestamp() and r.net && l.net)`

  const spansOf = (spans: ReadonlyArray<SubnetSpan>, prefix: number) => {
    const { firsts, lasts } = listsOf(spans, prefix)
    return sql`unnest(${firsts}::text[]::cidr[], ${lasts}::text[]::cidr[]) as s (first, last)`
  }

  /**
   * In one statement: extends what the owner has, else gives it the first candidate. No row when there is none, or
   * somebody else was at it. Who waits takes no locked row for one that is given away.
   */
  const given = ({ owner, pool, ttl }: SubnetRequest, spans: ReadonlyArray<SubnetSpan>, locked: "wait" | "skip") => {
    const { name, prefix, range } = pool
    return heldRows(sql`with own as (
        select net, fence, clearing from subnets where pool = ${name} and owner = ${owner}
      ), held as (
        update subnets set lease_until = ${from(ttl)}
        where pool = ${name} and owner = ${owner} and not clearing returning net, fence
      ), leaf as materialized (
        select f.net from ${spansOf(spans, prefix)} cross join lateral (
          select l.net from ${candidates(prefix)}
          order by l.net limit 1 for update of l ${sql.literal(locked === "skip" ? "skip locked" : "")}
        ) f where not exists (select from own) limit 1
      ), gone as (
        delete from free_subnets l using leaf where l.prefix = ${prefix} and l.net = leaf.net returning l.net
      ), made as (
        insert into subnets (pool, owner, net, lease_until)
        select ${name}, ${owner}, net, ${from(ttl)} from gone returning net, fence
      ), found as (
        select net::text, fence, false as clearing from held
        union all select net::text, fence, false from made
        union all select net::text, fence, true from own where clearing
      )
      select found.*, (
        select cut from subnet_ranges where range = ${format(range)}::text::cidr and prefix = ${prefix}
      ) from found`)
  }

  /** Whether there is a candidate, in somebody's hands or not. */
  const anyLeft = (spans: ReadonlyArray<SubnetSpan>, prefix: number) =>
    anyRows(sql`select exists (
      select from ${spansOf(spans, prefix)} where exists (select from ${candidates(prefix)})
    ) as any`)

  /** How many blocks of the range are cut, which it locks. */
  const lockedRange = ({ prefix, range }: SubnetPoolSpec) =>
    cutRows(sql`insert into subnet_ranges as r (range, prefix) values (${format(range)}::text::cidr, ${prefix})
      on conflict (range, prefix) do update set cut = r.cut returning cut`)

  /** Cuts more blocks off a range of which so many are cut, and answers how many are then. */
  const cutMore = ({ prefix, range }: { readonly range: Subnet; readonly prefix: number }, cut: number) => {
    const end = Math.min(cut + cutAtOnce, blocksIn(range, prefix))
    return cutRows(sql`with blocks as (
        insert into free_subnets (prefix, net)
        select ${prefix}, set_masklen((${format({ ...range, prefix: 32 })}::text::inet + n * ${2 ** (32 - prefix)}::bigint)::cidr, ${prefix}::int)
        from generate_series(${cut}::bigint, ${end - 1}::bigint) n
        on conflict do nothing
      )
      update subnet_ranges set cut = ${end}
      where range = ${format(range)}::text::cidr and prefix = ${prefix} returning cut`)
  }

  return { given, anyLeft, lockedRange, cutMore, from }
}
