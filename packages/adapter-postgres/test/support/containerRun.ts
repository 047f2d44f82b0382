// A run that uses testcontainers, to be killed: starts a PostgreSQL server, prints the id of its container, and stops
// nothing. Ends by itself only with the process that started it.

import { startPostgres } from "./postgresContainer.ts"

const container = await startPostgres()
console.log(container.getId())
process.stdin.resume()
