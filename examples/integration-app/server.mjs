// Counts visits in PostgreSQL. Ready once the database answers.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { Pool } from "pg"

const password = readFileSync(join(process.env.LOCKKEEPER_CREDENTIALS, "db"), "utf8")
const pool = new Pool({ host: "db", user: "postgres", database: "postgres", password, max: 4 })
pool.on("error", (error) => console.error(error.message))

const answers = {
  "/ready": () => pool.query("select 1"),
  "/visits": () => pool.query("insert into visits default values")
}

createServer(async (request, response) => {
  const answer = answers[request.url]
  if (answer === undefined) return void response.writeHead(404).end()
  try {
    await answer()
    response.end("ok\n")
  } catch (error) {
    console.error(error.message)
    response.writeHead(500).end()
  }
}).listen(8080)

process.on("SIGTERM", () => process.exit(0))
