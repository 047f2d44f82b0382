// The images that tests start containers from. Where a registry can be reached nothing has to be set; where none can,
// scripts/test-images/make.sh makes images that serve as well, and the environment names them.

const named = (variable: string, fallback: string): string => {
  const given = process.env[variable]
  return given === undefined || given === "" ? fallback : given
}

/** Their names, as a container engine understands them. */
export const images = {
  git: named("TEST_GIT_IMAGE", "alpine/git:2.49.1"),
  node: named("TEST_NODE_IMAGE", "node:24-alpine"),
  busybox: named("TEST_BUSYBOX_IMAGE", "busybox:1.37"),
  postgres: named("TEST_POSTGRES_IMAGE", "postgres:18-alpine"),
  reaper: named("RYUK_CONTAINER_IMAGE", "testcontainers/ryuk:0.14.0")
} as const
