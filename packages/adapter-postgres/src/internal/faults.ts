// What may go wrong below a store, and which reason of a StoreError that is. Not here: outcomes that a port names.

import { SecretError } from "@lockkeeper/core/port/SecretCipher"
import { StoreError } from "@lockkeeper/core/port/StoreError"
import { Predicate, Schema } from "effect"
import { SqlError } from "effect/sql"

/** A failure of the technology: the database's, or a row that is not what it must be. */
export type Fault = SqlError.SqlError | Schema.SchemaError | SecretError | StoreError

/** Whether an error is a {@link Fault} and not an outcome of a port. */
export const isFault = (error: unknown): error is Fault =>
  SqlError.isSqlError(error) ||
  Schema.isSchemaError(error) ||
  error instanceof SecretError ||
  error instanceof StoreError

/** Errors of a socket have codes too, such as EPIPE. */
const sqlState = /^(?=.*\d)[0-9A-Z]{5}$/

/** The SQLSTATE of an error that the server reported. */
export const stateOf = (error: SqlError.SqlError): string | undefined => {
  const { cause } = error.reason
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  return Predicate.isString(code) && sqlState.test(code) ? code : undefined
}

/** Connections (08), resources (53), the operator (57P), the machine (58), a session that idled too long, a standby. */
const away = /^(?:08...|53...|57P..|58...|25P03|25006)$/

const awayReasons: ReadonlySet<string> = new Set([
  "ConnectionError",
  "AuthenticationError",
  "LockTimeoutError",
  "StatementTimeoutError",
  "DeadlockError",
  "SerializationError"
])

const isAway = (error: SqlError.SqlError): boolean =>
  awayReasons.has(error.reason._tag) || away.test(stateOf(error) ?? "")

/** Wraps a fault for the caller of a port. */
export const storeError = (operation: string, fault: Fault): StoreError => {
  if (fault instanceof StoreError) return fault
  if (!SqlError.isSqlError(fault)) return new StoreError({ operation, reason: "corrupt", cause: fault })
  return new StoreError({ operation, reason: isAway(fault) ? "unavailable" : "unexpected", cause: fault })
}

/** The connection, the operator, the machine or the server itself ended while it may have been at work. */
const uncertain = /^(?:08...|57P..|58...|XX...)$/

/** Whether it is certain that what failed so has written nothing: the server says so, or was never asked. */
export const isWithoutEffect = (error: unknown): boolean => {
  if (!SqlError.isSqlError(error)) return false
  if (error.reason._tag === "ConnectionError" && error.reason.operation === "connect") return true
  const state = stateOf(error)
  return state !== undefined && !uncertain.test(state)
}

/** Whether a row that would have been the second of its kind was refused; by this constraint, when one is named. */
export const isUniqueViolation = (error: unknown, constraint?: string): boolean =>
  SqlError.isSqlError(error) &&
  error.reason._tag === "UniqueViolation" &&
  (constraint === undefined || error.reason.constraint === constraint)

/** Whether a store could not do it since somebody else did something that excludes it, at the same time. */
export const isOvertaken = ({ cause }: StoreError): boolean =>
  SqlError.isSqlError(cause) && /^(?:23505|23P01|40P01)$/.test(stateOf(cause) ?? "")

/** Whether the wait for somebody else's lock was given up. */
export const isBusy = (error: unknown): boolean =>
  SqlError.isSqlError(error) && (error.reason._tag === "LockTimeoutError" || error.reason._tag === "DeadlockError")
