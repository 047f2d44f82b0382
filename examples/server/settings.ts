// The settings of the reference server, from the environment.
import { Config, ConfigProvider, Duration, Effect, Redacted, Schema } from "effect"
import { isRetentionSetting, type RetentionChoice, retentionKinds } from "@lockkeeper/core/domain/Retention"
import { ImageReference } from "@lockkeeper/core/domain/Source"

const portRange = Schema.String.check(
  Schema.makeFilter((text: string) => {
    const [first, last] = text.split("-").map(Number)
    const isRange = first !== undefined && last !== undefined && first >= 1 && last <= 65_535 && first <= last
    return (/^\d+-\d+$/.test(text) && isRange) || "a range of ports such as 20000-29999"
  })
)

const paths = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((path) => path.trim())
    .filter((path) => path !== "")

/** The address of a database. What is malformed is not shown: it may hold a password. */
const addressIn = (name: string) =>
  Config.mapEffect(Config.Redacted(name), (given) => {
    if (URL.canParse(Redacted.value(given))) return Effect.succeed(given)
    const message = `${name}: not an address such as postgres://user:password@host:5432/name`
    return Effect.fail(new Config.ConfigError(new ConfigProvider.SourceError({ message })))
  })

const settableKinds = retentionKinds.filter(isRetentionSetting)

const day = /^\s*(?<kind>[a-z]+)=(?<days>[1-9]\d{0,3})\s*$/

/** Ages by class, such as `logs=14,jobs=365`, in days. */
const agesIn = (text: string): RetentionChoice["ages"] | undefined => {
  const ages: { [K in (typeof settableKinds)[number]]?: Duration.Duration } = {}
  for (const part of text.split(",").filter((each) => each.trim() !== "")) {
    const { days, kind = "" } = day.exec(part)?.groups ?? {}
    if (!isRetentionSetting(kind) || ages[kind] !== undefined) return undefined
    ages[kind] = Duration.days(Number(days))
  }
  return ages
}

const ages = Config.mapEffect(Config.withDefault(Config.String("LOCKKEEPER_RETENTION"), ""), (text) => {
  const found = agesIn(text)
  if (found !== undefined) return Effect.succeed(found)
  const message = `LOCKKEEPER_RETENTION: not days by class, each once, such as logs=14,jobs=365, of ${settableKinds.join(", ")}`
  return Effect.fail(new Config.ConfigError(new ConfigProvider.SourceError({ message })))
})

/** Reads the settings; one that is malformed is a `ConfigError` that names it. */
export const settings = Config.all({
  host: Config.String("HOST").pipe(Config.withDefault("127.0.0.1")),
  port: Config.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 })), "PORT").pipe(
    Config.withDefault(8080)
  ),
  databaseUrl: Config.option(Config.Redacted("DATABASE_URL")),
  directDatabaseUrl: Config.option(addressIn("LOCKKEEPER_DIRECT_DATABASE_URL")),
  prepare: Config.Boolean("LOCKKEEPER_DATABASE_PREPARE").pipe(Config.withDefault(false)),
  migrate: Config.Literals(["apply", "wait"], "LOCKKEEPER_MIGRATE").pipe(Config.withDefault("apply")),
  dataDir: Config.NonEmptyString("LOCKKEEPER_DATA_DIR").pipe(Config.withDefault(".lockkeeper")),
  secretKeyFile: Config.option(Config.NonEmptyString("LOCKKEEPER_SECRET_KEY_FILE")),
  retiredSecretKeyFiles: Config.String("LOCKKEEPER_RETIRED_SECRET_KEY_FILES").pipe(
    Config.withDefault(""),
    Config.map(paths)
  ),
  runtime: Config.Literals(["auto", "docker", "process"], "LOCKKEEPER_RUNTIME").pipe(Config.withDefault("auto")),
  gitImage: Config.schema(ImageReference, "LOCKKEEPER_GIT_IMAGE").pipe(
    Config.withDefault(ImageReference.make("alpine/git:2.49.1"))
  ),
  sampleImage: Config.schema(ImageReference, "LOCKKEEPER_SAMPLE_IMAGE").pipe(
    Config.withDefault(ImageReference.make("node:24-alpine"))
  ),
  appPorts: Config.schema(portRange, "LOCKKEEPER_APP_PORTS").pipe(
    Config.withDefault("20000-29999"),
    Config.map((text) => {
      const [first = 20_000, last = 29_999] = text.split("-").map(Number)
      return { first, last }
    })
  ),
  tokens: Config.option(Config.Redacted("LOCKKEEPER_TOKENS")),
  webhookUrl: Config.option(Config.Redacted("LOCKKEEPER_WEBHOOK_URL")),
  webhookSecretFile: Config.option(Config.NonEmptyString("LOCKKEEPER_WEBHOOK_SECRET_FILE")),
  retainReleases: Config.schema(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })),
    "LOCKKEEPER_RETAIN_RELEASES"
  ).pipe(Config.withDefault(5)),
  retention: ages,
  logLimitBytes: Config.schema(
    Schema.Int.check(Schema.isBetween({ minimum: 1_024, maximum: 2 ** 40 })),
    "LOCKKEEPER_LOG_LIMIT_BYTES"
  ).pipe(Config.withDefault(104_857_600)),
  logLevel: Config.Literals(["trace", "debug", "info", "warn", "error"], "LOCKKEEPER_LOG_LEVEL").pipe(
    Config.withDefault("info")
  ),
  logFormat: Config.option(Config.Literals(["pretty", "json"], "LOCKKEEPER_LOG_FORMAT")),
  sample: Config.Boolean("LOCKKEEPER_SAMPLE").pipe(Config.withDefault(false))
})

/** The settings of the reference server. */
export type Settings = Effect.Success<typeof settings>
