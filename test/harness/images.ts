// The images that tests run: of a registry, or made by scripts/test-images where none can be reached.

const named = (variable: string, publicName: string): string => process.env[variable] ?? publicName

/** Names of images. */
export const images = {
  git: named("TEST_GIT_IMAGE", "alpine/git:2.49.1"),
  node: named("TEST_NODE_IMAGE", "node:24-alpine"),
  busybox: named("TEST_BUSYBOX_IMAGE", "busybox:1.37"),
  postgres: named("TEST_POSTGRES_IMAGE", "postgres:18-alpine")
}
