// Runtimes and stores that make mistakes with images that are kept, and with which of them are needed.

import { Effect } from "effect"
import { isTerminal } from "../../src/domain/Deployment.ts"
import { ContainerRuntime } from "../../src/port/ContainerRuntime.ts"
import { DeploymentStore } from "../../src/port/DeploymentStore.ts"
import { altered, type Broken } from "./Broken.ts"

/** ContainerRuntimes that are broken in `images` or `removeImage`, and DeploymentStores in `unneeded`. */
export const brokenImages: ReadonlyArray<Broken> = [
  {
    what: "a ContainerRuntime that removes an image from its list and not from the disk",
    contract: "ContainerRuntime",
    violates: ["INV-10 an image is listed", "INV-9 an image that was kept anew", "INV-9 an image from which"],
    layer: altered(ContainerRuntime, (_, { keptImages }) => ({
      removeImage: ({ mark }) => Effect.sync(() => void keptImages.delete(mark))
    }))
  },
  {
    what: "a ContainerRuntime that keeps an image as it is kept already",
    contract: "ContainerRuntime",
    violates: ["INV-9 an image that was kept anew"],
    layer: altered(ContainerRuntime, () => ({ keepImage: () => Effect.void }))
  },
  {
    what: "a ContainerRuntime that removes an image however it is kept by now",
    contract: "ContainerRuntime",
    violates: ["INV-9 an image that was built again", "INV-9 an image that was kept anew"],
    layer: altered(ContainerRuntime, (original, { keptImages }) => ({
      removeImage: (kept) =>
        Effect.forEach(
          [...keptImages.values()].filter(({ image }) => image === kept.image),
          original.removeImage,
          { discard: true }
        )
    }))
  },
  {
    what: "a ContainerRuntime that takes an image away from what runs",
    contract: "ContainerRuntime",
    violates: ["INV-9 an image from which"],
    layer: altered(ContainerRuntime, (_, { images, keptImages }) => ({
      removeImage: ({ image, mark }) =>
        Effect.sync(() => {
          const wasKept = keptImages.delete(mark)
          if (wasKept && ![...keptImages.values()].some((other) => other.image === image)) images.delete(image)
        })
    }))
  },
  {
    what: "a DeploymentStore that needs the images of every Release",
    contract: "DeploymentStore",
    violates: ["INV-9 the images", "INV-10 the image of"],
    layer: altered(DeploymentStore, ({ unneeded }) => ({ unneeded: (images) => unneeded(images, 1_000) }))
  },
  {
    what: "a DeploymentStore that needs no image of what is under way",
    contract: "DeploymentStore",
    violates: ["INV-10 the image of"],
    layer: altered(DeploymentStore, ({ unneeded }, state) => ({
      unneeded: (images, retain) =>
        Effect.suspend(() => {
          const active = [...state.deployments.values()].filter(({ deployment }) => !isTerminal(deployment.status))
          const theirs = images.filter((image) => active.some(({ deployment }) => deployment.image === image))
          return Effect.map(unneeded(images, retain), (found) => [...found, ...theirs])
        })
    }))
  },
  {
    what: "a DeploymentStore that needs the images of deleted Apps",
    contract: "DeploymentStore",
    violates: ["INV-10 the images of an App"],
    layer: altered(DeploymentStore, ({ unneeded }, state) => ({
      unneeded: (images, retain) =>
        Effect.map(unneeded(images, retain), (found) => {
          const current = [...state.releases.values()].map(({ release }) => release).filter(({ current }) => current)
          return found.filter((image) => !current.some((release) => release.image === image))
        })
    }))
  }
]
