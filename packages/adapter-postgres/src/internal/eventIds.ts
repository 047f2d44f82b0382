// The two numbers of an Event's id as PostgreSQL has them: the transaction that wrote it and the number of its row.

import type { EventId } from "@lockkeeper/core/domain/Event"

/** Larger than any: PostgreSQL numbers transactions with 64 bits and rows with 63. */
const lastTransaction = 18_446_744_073_709_551_615n
const lastRow = 9_223_372_036_854_775_807n

/** The parts of an id. Where a number is larger than any of the database, it is the largest, and no Event is after it. */
export const eventParts = (id: EventId): readonly [transaction: bigint, row: bigint] => {
  const [transaction = "0", row = "0"] = id.split("-")
  const [xid, number] = [BigInt(transaction), BigInt(row)]
  return xid > lastTransaction ? [lastTransaction, lastRow] : [xid, number > lastRow ? lastRow : number]
}
