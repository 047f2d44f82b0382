// Who reads the result files of steps. JUnit's XML needs a parser, which an adapter has.
import { Context, Result } from "effect"
import { jsonMetrics, type ResultReaders, ResultUnreadable } from "../domain/StepResult.ts"

/** Reads JSON; of JUnit's XML it says that nobody reads it. */
export const jsonAlone: ResultReaders = {
  json: jsonMetrics,
  junit: () => Result.fail(new ResultUnreadable({ detail: "cannot be read, since nobody here reads JUnit's XML" }))
}

/** The readers with which Runs are carried out: {@link jsonAlone} unless somebody gave others. */
export const ResultReading: Context.Reference<ResultReaders> = Context.Reference<ResultReaders>(
  "@lockkeeper/core/program/ResultReading",
  { defaultValue: () => jsonAlone }
)
