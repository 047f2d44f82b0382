// Says in one sentence what a system call complained about, without paths or values of others.

import { Predicate } from "effect"

const sentences: Readonly<Record<string, string>> = {
  EACCES: "access is denied",
  EPERM: "access is denied",
  ENOSPC: "there is no space left on the disk",
  EDQUOT: "the disk quota is exceeded",
  E2BIG: "the command and its environment are too long",
  ENOMEM: "there is not enough memory",
  EROFS: "the file system is read-only",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  ENAMETOOLONG: "a name is too long",
  ENOTFOUND: "the host name does not exist",
  EAI_AGAIN: "the host name could not be looked up",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was lost",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "the host is unreachable",
  ENETUNREACH: "the network is unreachable"
}

/** Says in its own words why something was not done; the message is a clause for a person. */
export class Refused extends Error {}

/** The `code` of a system error. */
export const errorCode = (cause: unknown): string | undefined =>
  Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : undefined

/** A short clause for a person. */
export const describeSystemError = (cause: unknown): string => {
  if (cause instanceof Refused) return cause.message.replaceAll(/\p{Cc}+/gu, " ").slice(0, 300)
  const code = errorCode(cause)
  return (code === undefined ? undefined : sentences[code]) ?? code ?? "it failed for an unknown reason"
}
