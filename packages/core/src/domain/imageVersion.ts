// Which version of an image a reference names: one that may move, a tag, or the digest that never means anything else.
import { Option, Schema } from "effect"
import { ImageReference } from "./Source.ts"
import { ImageDigest } from "./Workload.ts"

const asDigest = Schema.decodeUnknownOption(ImageDigest)

/** The digest that a reference names itself. */
export const ownDigest = (reference: ImageReference): ImageDigest | undefined =>
  Option.getOrUndefined(asDigest(reference.split("@")[1]))

const tagOf = (reference: ImageReference): string | undefined => /:([^:/]+)$/.exec(reference.split("@")[0] ?? "")?.[1]

/** Whether a reference may mean another image tomorrow by its form alone: no digest, and no tag but `latest`. */
export const isMutable = (reference: ImageReference): boolean =>
  ownDigest(reference) === undefined && (tagOf(reference) ?? "latest") === "latest"

/** The reference that means this image and no other, wherever its tag has moved to. */
export const pinned = (reference: ImageReference, digest: ImageDigest): ImageReference =>
  ImageReference.make(`${reference.split("@")[0]}@${digest}`)
