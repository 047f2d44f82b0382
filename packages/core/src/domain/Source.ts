// Where an App's files come from, checked before anything reaches a shell, a URL or a path.
// Not here: how they are fetched (the SourceFetcher port).
import { Schema, Struct } from "effect"

const noUserInfo =
  /^(?:https:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?)\/[\w./~%+=,@-]+$/i
const sshUrl =
  /^ssh:\/\/[a-z_][\w.-]*@(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?\/[\w./~%+=,@-]+$/i
const scpUrl = /^[a-z_][\w.-]*@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?:(?!-)[\w./~+=,@-]+$/i

/** Whether Git reaches this address over SSH (`ssh://user@host/path` or `user@host:path`). */
export const isSshUrl = (url: string): boolean => sshUrl.test(url) || scpUrl.test(url)

/**
 * The address of a Git repository: `https://host/path`, `ssh://user@host/path` or `user@host:path`; plain `http` to
 * the loopback interface only. Credentials in the address are refused: they would end up in logs and rows.
 */
export const GitUrl = Schema.String.check(
  Schema.isMaxLength(2048),
  Schema.makeFilter(
    (url: string) => noUserInfo.test(url) || isSshUrl(url) || "a Git address over https or ssh, without credentials"
  )
).pipe(Schema.brand("GitUrl"))

/** The type of {@link GitUrl}. */
export type GitUrl = typeof GitUrl.Type

/** A branch, a tag or a full ref name, as `git check-ref-format` allows them, without its stranger forms. */
export const GitRef = Schema.String.check(
  Schema.isPattern(/^\w[\w./+-]{0,254}$/),
  Schema.makeFilter((ref: string) => !/\.\.|\/\/|\.lock(\/|$)|[./]$|\/\./.test(ref) || "a Git ref name")
).pipe(Schema.brand("GitRef"))

/** The type of {@link GitRef}. */
export type GitRef = typeof GitRef.Type

/** A full commit id in lower-case hexadecimal (SHA-1 or SHA-256). */
export const Commit = Schema.String.check(Schema.isPattern(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/)).pipe(
  Schema.brand("Commit")
)

/** The type of {@link Commit}. */
export type Commit = typeof Commit.Type

/** A SHA-256 sum in lower-case hexadecimal. */
export const Sha256 = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(Schema.brand("Sha256"))

/** The type of {@link Sha256}. */
export type Sha256 = typeof Sha256.Type

const httpUrl = /^https?:\/\/(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?\/[\x21-\x7e]*$/i

/** The address of an archive over http or https, without credentials; its sum is what makes it trustworthy. */
export const ArchiveUrl = Schema.String.check(
  Schema.isMaxLength(2048),
  Schema.isPattern(httpUrl),
  Schema.makeFilter((url: string) => URL.canParse(url) || "a URL whose host and port there can be")
).pipe(Schema.brand("ArchiveUrl"))

/** The type of {@link ArchiveUrl}. */
export type ArchiveUrl = typeof ArchiveUrl.Type

/** A private key in PEM form for one repository. It is sealed in every row and never shown again. */
export const DeployKey = Schema.String.check(
  Schema.isMaxLength(16_384),
  Schema.isPattern(/^-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END [A-Z ]*PRIVATE KEY-----\s*$/)
)

/** Lines of an OpenSSH `known_hosts` file that pin the host keys of a repository's server. */
export const KnownHosts = Schema.String.check(Schema.isMaxLength(16_384), Schema.isPattern(/^[\x20-\x7e\r\n\t]+$/))

const gitFields = {
  type: Schema.Literal("git"),
  url: GitUrl,
  ref: Schema.optionalKey(GitRef),
  commit: Schema.optionalKey(Commit),
  knownHosts: Schema.optionalKey(KnownHosts)
}

const pinsItsHost = Schema.makeFilter(
  (source: { readonly url: string; readonly knownHosts?: string }) =>
    !isSshUrl(source.url) || source.knownHosts !== undefined || "knownHosts is required for ssh"
)

/** A Git repository at a ref (default: the repository's HEAD) or a commit, with the key that opens it. */
export const GitSource = Schema.Struct({
  ...gitFields,
  deployKey: Schema.optionalKey(Schema.RedactedFromValue(DeployKey))
})

/** The type of {@link GitSource}. */
export interface GitSource extends Schema.Schema.Type<typeof GitSource> {}

/** A tar or tar.gz archive, fetched and compared with its SHA-256 sum before it is used. */
export const ArchiveSource = Schema.Struct({ type: Schema.Literal("archive"), url: ArchiveUrl, sha256: Sha256 })

/** The type of {@link ArchiveSource}. */
export interface ArchiveSource extends Schema.Schema.Type<typeof ArchiveSource> {}

const imagePart = "[a-z0-9]+(?:[._-]+[a-z0-9]+)*"

/** A container image by name: host and path, a tag, a digest. No part can climb out of a path or end it. */
export const ImageReference = Schema.String.check(
  Schema.isMaxLength(300),
  Schema.isPattern(
    new RegExp(`^${imagePart}(?::\\d{1,5}(?=/))?(?:/${imagePart})*(?::\\w[\\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`)
  )
).pipe(Schema.brand("ImageReference"))

/** The type of {@link ImageReference}. */
export type ImageReference = typeof ImageReference.Type

/** A container image by reference. It is pinned by its digest when it is fetched. */
export const ImageSource = Schema.Struct({ type: Schema.Literal("image"), reference: ImageReference })

/** The type of {@link ImageSource}. */
export interface ImageSource extends Schema.Schema.Type<typeof ImageSource> {}

/** Where an App's files come from. */
export const Source = Schema.Union([GitSource.check(pinsItsHost), ArchiveSource, ImageSource])

/** The type of {@link Source}. */
export type Source = typeof Source.Type

/** A {@link Source} without its secrets: what answers and plain rows hold. */
export const OpenSource = Schema.Union([Schema.Struct(gitFields), ArchiveSource, ImageSource])

/** The type of {@link OpenSource}. */
export type OpenSource = typeof OpenSource.Type

/** Drops the secrets of a Source. */
export const open = (source: Source): OpenSource =>
  source.type === "git" ? Struct.omit(source, ["deployKey"]) : source

/** A Git source at another ref than its own, and at no fixed commit; other sources, and none, stay as they are. */
export const atRef = (source: Source | undefined, ref: GitRef | undefined): Source | undefined => {
  if (source?.type !== "git" || ref === undefined) return source
  const { commit: _, ...rest } = source
  return { ...rest, ref }
}
