// What an operator reads when the server does not start: one line that names the setting to look at, and no secret.
import { Cause, Config, Schema, SchemaIssue } from "effect"
import { HttpServerError } from "effect/http"
import { InvalidTokens } from "@lockkeeper/adapter-http/Tokens"
import { InvalidWebhook } from "@lockkeeper/adapter-http/WebhookSubscriber"
import { MigrationError } from "@lockkeeper/adapter-postgres/MigrationError"

/** Says why the server did not start. */
export const startFailure = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (error instanceof Config.ConfigError) return malformed(error)
  if (error instanceof InvalidTokens) return `LOCKKEEPER_TOKENS: ${error.message}`
  if (error instanceof InvalidWebhook) return `${webhookSettings[error.setting]}: ${error.message}`
  if (error instanceof HttpServerError.ServeError) return `HOST or PORT: ${innermost(error)}`
  if (error instanceof MigrationError && error.reason._tag === "Unavailable") return unavailable(error)
  return oneLine(error instanceof Error ? error.message : String(error))
}

const webhookSettings = { url: "LOCKKEEPER_WEBHOOK_URL", secret: "LOCKKEEPER_WEBHOOK_SECRET_FILE" } as const

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

const malformed = ({ cause }: Config.ConfigError): string => {
  if (!Schema.isSchemaError(cause)) return oneLine(cause.message)
  const [issue] = issuesOf(cause.issue).issues
  return oneLine(`${(issue?.path ?? []).map(String).join(".")}: ${issue?.message}`)
}

/** The database, by its address: what else the setting holds is not for eyes. */
const unavailable = (error: MigrationError): string => {
  const given = process.env["DATABASE_URL"]
  if (given === undefined) return `the embedded database: ${innermost(error)}`
  const url = URL.parse(given)
  if (url === null) return "DATABASE_URL: not an address such as postgres://user:password@host:5432/name"
  return `DATABASE_URL: ${url.host}${url.pathname} cannot be used: ${innermost(error)}`
}

/** What the first cause of all said. */
const innermost = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  if (!(error instanceof Error)) return oneLine(String(error))
  const deeper = "reason" in error && isCaused(error.reason) ? error.reason.cause : error.cause
  return deeper === undefined ? oneLine(error.message) : innermost(deeper)
}

const isCaused = (value: unknown): value is { readonly cause: unknown } =>
  typeof value === "object" && value !== null && "cause" in value

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()
