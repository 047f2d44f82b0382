// The problems of a change of an Env, said once: what is no variable may be noticed before a handler runs or in it, and what
// the store refuses has one answer for every way to change an Env.
import { Effect } from "effect"
import type { AppNotLive } from "@lockkeeper/core/port/AppStore"
import type { EnvChangeError } from "@lockkeeper/core/program/mergeEnv"
import * as Problems from "../api/Problems.ts"
import { gone, notLive, unavailable } from "./outcomes.ts"

/** 400 for a name that no variable may have. */
export const invalidEnvKey = (key: string): Problems.InvalidEnvKey =>
  new Problems.InvalidEnvKey({
    detail: "a name has only A-Z, 0-9 and _, begins with no digit and not with LOCKKEEPER_, and is not PORT",
    key
  })

/** 400 for what is not a value. It is not shown. */
export const invalidEnvValue = (key: string): Problems.InvalidEnvValue =>
  new Problems.InvalidEnvValue({
    detail: "a value is text without NUL and lone surrogates, and not *** (what is shown in place of one)",
    key
  })

/** What each error of a change of an Env becomes; one that is not here does not compile. */
export const envProblems = {
  AppGone: gone,
  AppNotLive: (error: AppNotLive): Effect.Effect<never, Problems.AppDeleting | Problems.AppNotLive> =>
    error.status === "deleting"
      ? Effect.fail(new Problems.AppDeleting({ detail: "the app is being deleted" }))
      : notLive(error),
  RevisionMismatch: ({ actual }: ErrorOf<"RevisionMismatch">) =>
    Effect.fail(new Problems.RevisionMismatch({ detail: `the env is at revision ${actual}`, actual })),
  EnvTooLarge: ({ actual, limit }: ErrorOf<"EnvTooLarge">) =>
    Effect.fail(new Problems.EnvTooLarge({ detail: `the env would be ${actual} bytes of ${limit}`, limit, actual })),
  EnvBusy: () => Effect.fail(new Problems.EnvBusy({ detail: "somebody else is changing this env" })),
  StoreError: unavailable
} satisfies { readonly [Tag in EnvChangeError["_tag"]]: (error: ErrorOf<Tag>) => Effect.Effect<never, unknown> }

type ErrorOf<Tag extends EnvChangeError["_tag"]> = Extract<EnvChangeError, { readonly _tag: Tag }>
