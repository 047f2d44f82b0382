// What goes wrong when a database is brought to the schema that this version expects.

import { Schema } from "effect"

/**
 * The schema could not be brought to what is expected. `Failed`: a statement was refused. `Edited`: a migration was applied
 * with another content than this package has. `Unavailable`: the database is away or does not let it in. `Busy`: others are
 * at it, or use what is to be changed, for longer than it was to wait, in seconds.
 */
export class MigrationError extends Schema.TaggedError<MigrationError>()("MigrationError", {
  reason: Schema.Union([
    Schema.TaggedStruct("Failed", { migration: Schema.Int, statement: Schema.Int, cause: Schema.Defect() }),
    Schema.TaggedStruct("Edited", { migration: Schema.Int, name: Schema.String }),
    Schema.TaggedStruct("Unavailable", { cause: Schema.Defect() }),
    Schema.TaggedStruct("Busy", { seconds: Schema.Number })
  ])
}) {
  override get message(): string {
    switch (this.reason._tag) {
      case "Failed":
        return `migration ${this.reason.migration} failed at statement ${this.reason.statement}`
      case "Edited":
        return `migration ${this.reason.migration} was applied as "${this.reason.name}" with another content`
      case "Unavailable":
        return "the migrations could not be run: the database is unavailable"
      case "Busy":
        return `the migrations did not get their turn within ${this.reason.seconds} seconds: another process holds them`
    }
  }
}
