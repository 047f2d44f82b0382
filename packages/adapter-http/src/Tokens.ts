// Which bearer tokens are accepted, and for whom. Only digests of tokens are kept in memory.
import { createHash } from "node:crypto"
import { Context, Effect, Layer, Redacted, Result, Schema } from "effect"
import { TenantName } from "@lockkeeper/core/domain/Tenant"
import type { Caller } from "./api/Authorization.ts"

/** The setting that lists tokens is not `name:token=tenant`, separated by commas, each token once. Nothing of it is shown. */
export class InvalidTokens extends Schema.TaggedError<InvalidTokens>()("InvalidTokens", { entry: Schema.Int }) {
  override readonly message = `entry ${this.entry} of the tokens is not name:token=tenant with a token of its own`
}

/** Knows the accepted tokens. */
export class Tokens extends Context.Service<
  Tokens,
  {
    /** Who a token belongs to; undefined for an unknown one. */
    readonly find: (token: Redacted.Redacted<string>) => typeof Caller.Service | undefined
  }
>()("@lockkeeper/adapter-http/Tokens") {
  /** Tokens as a setting lists them: `name:token=tenant`, separated by commas; `*` is every Tenant, a name may be left out. */
  static readonly layer = (setting: Redacted.Redacted<string>): Layer.Layer<Tokens, InvalidTokens> =>
    Layer.effect(
      Tokens,
      Effect.map(Effect.fromResult(parse(setting)), (callers) =>
        Tokens.of({ find: (token) => callers.get(digest(Redacted.value(token))) })
      )
    )
}

const digest = (token: string): string => createHash("sha256").update(token).digest("hex")

/** A name before nothing is refused: where a token was left out, the name would be one. */
const entryPattern =
  /^(?![\w.-]*:=)(?:(?<name>[\w.-]{1,64}):)?(?<token>[\x21-\x2b\x2d-\x7e]+)=(?<tenant>\*|[a-z][a-z0-9-]{0,62})$/

const parse = (
  setting: Redacted.Redacted<string>
): Result.Result<ReadonlyMap<string, typeof Caller.Service>, InvalidTokens> => {
  const callers = new Map<string, typeof Caller.Service>()
  for (const [index, entry] of Redacted.value(setting).split(",").entries()) {
    const { name, token, tenant } = entryPattern.exec(entry.trim())?.groups ?? {}
    if (token === undefined || tenant === undefined) return Result.fail(new InvalidTokens({ entry: index + 1 }))
    if (callers.has(digest(token))) return Result.fail(new InvalidTokens({ entry: index + 1 }))
    const owner = tenant === "*" ? tenant : TenantName.make(tenant)
    callers.set(digest(token), { name: name ?? (tenant === "*" ? "admin" : tenant), tenant: owner })
  }
  return Result.succeed(callers)
}
