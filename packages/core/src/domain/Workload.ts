// One started process or container of a Deployment: how it is named, reached and observed.
import { Schema } from "effect"

/** What the runtime calls a started Workload: a pid with its start time, or a container id. Never an address. */
export const WorkloadId = Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9:_-]{0,127}$/)).pipe(
  Schema.brand("WorkloadId")
)

/** The type of {@link WorkloadId}. */
export type WorkloadId = typeof WorkloadId.Type

/** The deterministic name under which a Workload is created: Deployment, Fence and try. Two tries never share one. */
export const WorkloadName = Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9_-]{0,120}$/)).pipe(
  Schema.brand("WorkloadName")
)

/** The type of {@link WorkloadName}. */
export type WorkloadName = typeof WorkloadName.Type

/** An IPv4 address; an id can never pass for one. */
export const IpAddress = Schema.String.check(
  Schema.isPattern(/^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/)
).pipe(Schema.brand("IpAddress"))

/** The type of {@link IpAddress}. */
export type IpAddress = typeof IpAddress.Type

/** The port on which a Workload listens, at its own address. */
export const WorkloadPort = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 })).pipe(
  Schema.brand("WorkloadPort")
)

/** The type of {@link WorkloadPort}. */
export type WorkloadPort = typeof WorkloadPort.Type

const commandLimit = 65_536

const commandPart = Schema.String.check(
  Schema.makeFilter((part) => (part.isWellFormed() && !part.includes("\0")) || "well-formed Unicode without NUL")
)

/**
 * A program and its arguments: well-formed Unicode without NUL, at most 65,536 characters altogether. They are data: no
 * shell reads them, unless the program is one.
 */
export const Command = Schema.TupleWithRest(Schema.Tuple([commandPart.check(Schema.isNonEmpty())]), [
  commandPart
]).check(Schema.makeFilter((parts) => parts.join(" ").length <= commandLimit || `at most ${commandLimit} characters`))

/** The type of {@link Command}. */
export type Command = typeof Command.Type

/** Where a Workload is reached from the host. */
export const Address = Schema.Struct({
  host: IpAddress,
  port: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
})

/** The type of {@link Address}. */
export interface Address extends Schema.Schema.Type<typeof Address> {}

/** What an image is known by: the SHA-256 digest of what it holds. */
export const ImageDigest = Schema.String.check(Schema.isPattern(/^sha256:[0-9a-f]{64}$/)).pipe(
  Schema.brand("ImageDigest")
)

/** The type of {@link ImageDigest}. */
export type ImageDigest = typeof ImageDigest.Type

/** That a runtime keeps an image. Each time that it is kept anew it has another `mark`, which only its runtime understands. */
export const KeptImage = Schema.Struct({ image: ImageDigest, mark: Schema.String })

/** The type of {@link KeptImage}. */
export interface KeptImage extends Schema.Schema.Type<typeof KeptImage> {}

/** A started Workload: what to call it, where it answers, and what it runs. */
export const Workload = Schema.Struct({ id: WorkloadId, name: WorkloadName, address: Address, image: ImageDigest })

/** The type of {@link Workload}. */
export interface Workload extends Schema.Schema.Type<typeof Workload> {}

/** How a command that was run to its end came out. `reason` is a clause for a person: the code, a signal, out of memory. */
export interface CommandExit {
  readonly exitCode: number
  readonly reason: string
}

/** What the runtime sees of a Workload now. `gone` means that nothing of it is left. */
export type WorkloadState =
  | { readonly state: "running"; readonly image: ImageDigest }
  | { readonly state: "exited"; readonly reason: string }
  | { readonly state: "gone" }
