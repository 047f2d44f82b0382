// A PostgreSQL server in a container, through testcontainers. Knows no test runner, so that a process of its own can start
// one as well.

import { PostgreSqlContainer, type StartedPostgreSqlContainer } from "@testcontainers/postgresql"
import { images } from "../../../../test/harness/images.ts"

// A process joins the reaper of any other that has one, which removes nothing before the last of them is gone. With this
// label nobody joins the reapers of these tests, so that each removes what its own process leaves.
process.env["TESTCONTAINERS_RYUK_TEST_LABEL"] = "true"

/** Starts a server without durability and waits until it answers. */
export const startPostgres = (): Promise<StartedPostgreSqlContainer> =>
  new PostgreSqlContainer(images.postgres)
    .withCommand(["postgres", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"])
    .start()
