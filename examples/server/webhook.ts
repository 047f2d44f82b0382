// The platform's own webhook, which is told of every event when the settings name one. The subscription has one name on
// this database, whatever the address: another address goes on where the last one was.
import { readFile } from "node:fs/promises"
import { Effect, Option, Redacted, Schema } from "effect"
import { type InvalidWebhook, make } from "@lockkeeper/adapter-http/WebhookSubscriber"
import { Subscriber } from "@lockkeeper/core/port/Subscriber"
import { SubscriberName, Subscriptions } from "@lockkeeper/core/port/Subscriptions"
import { deliver } from "@lockkeeper/core/program/deliver"
import { ready } from "./installation.ts"
import type { Settings } from "./settings.ts"

/** The settings of the webhook do not go together, or its secret cannot be read; the message says which one and why. */
export class WebhookSettingsError extends Schema.TaggedError<WebhookSettingsError>()("WebhookSettingsError", {
  message: Schema.String
}) {}

const [urlSetting, fileSetting] = ["LOCKKEEPER_WEBHOOK_URL", "LOCKKEEPER_WEBHOOK_SECRET_FILE"]

const name = SubscriberName.make("webhook")

/** Who is told, if anybody is. */
export const webhookOf = Effect.fnUntraced(function* ({
  webhookSecretFile,
  webhookUrl
}: Settings): Effect.fn.Return<Option.Option<Subscriber["Service"]>, WebhookSettingsError | InvalidWebhook> {
  if (Option.isNone(webhookUrl) && Option.isNone(webhookSecretFile)) return Option.none()
  if (Option.isNone(webhookUrl)) {
    return yield* new WebhookSettingsError({ message: `${urlSetting}: ${fileSetting} is given, and no address` })
  }
  if (Option.isNone(webhookSecretFile)) {
    return yield* new WebhookSettingsError({
      message: `${fileSetting}: ${urlSetting} is given, and no file with the secret that signs what is posted there`
    })
  }
  const path = webhookSecretFile.value
  const secret = yield* Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) =>
      new WebhookSettingsError({
        message: `${fileSetting}: ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
      })
  })
  return Option.some(yield* make({ url: webhookUrl.value, secret: Redacted.make(secret) }))
})

/** From now on, what happens is told, whoever tells it. */
export const subscribed = Effect.flatMap(Subscriptions, ({ begin }) => begin(name))

/** Tells what happens, for as long as it runs. */
export const telling = (subscriber: Subscriber["Service"]) =>
  Effect.andThen(ready, Effect.provideService(deliver(name), Subscriber, subscriber))
