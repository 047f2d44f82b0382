// Histories written by hand: one line per operation, with its times in nanoseconds.

import type { Operation, Outcome } from "../../src/testing/History.ts"

type Op<Input, Output> = Operation<Input, Output>

const operation = <Input, Output>(
  process: string,
  invokedAt: number,
  input: Input,
  outcome: Outcome<Output>
): Op<Input, Output> => ({ key: "object", process, input, invokedAt: BigInt(invokedAt), outcome })

/** An operation that was answered. */
export const ok = <Input, Output>(
  process: string,
  [invokedAt, returnedAt]: readonly [number, number],
  input: Input,
  output: Output
): Op<Input, Output> => operation(process, invokedAt, input, { type: "ok", output, returnedAt: BigInt(returnedAt) })

/** An operation that certainly had no effect. */
export const failed = <Input>(
  process: string,
  [invokedAt, returnedAt]: readonly [number, number],
  input: Input
): Op<Input, never> => operation(process, invokedAt, input, { type: "fail", returnedAt: BigInt(returnedAt) })

/** An operation without an answer. */
export const unknown = <Input>(process: string, invokedAt: number, input: Input): Op<Input, never> =>
  operation(process, invokedAt, input, { type: "unknown" })
