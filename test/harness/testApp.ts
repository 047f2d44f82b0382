// Apps as users write them, good and bad ones, as the files of their repositories.

import type { Files } from "./archiveServer.ts"

/** What the app answers to every request but its health check. */
export interface Answer {
  readonly version: string
  readonly pid: number
  readonly env: Readonly<Record<string, string>>
}

const server = (version: string, more = ""): string => `import { createServer } from "node:http"
const answer = JSON.stringify({ version: ${JSON.stringify(version)}, pid: process.pid, env: process.env })
const server = createServer((request, response) => {
  if (request.url === "/healthz") return response.writeHead(200).end()
  response.writeHead(200, { "content-type": "application/json" }).end(answer)
})
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("app ${version} listens"))
${more}`

const stopping = `process.on("SIGTERM", () => server.close(() => process.exit(0)))\n`

/** Answers at once and stops when it is told to. */
export const goodApp = (version: string): Files => ({
  Procfile: "web: node app.mjs\n",
  "app.mjs": server(version, stopping)
})

/** Answers at once and does not stop when it is told to. */
export const deafApp = (version: string): Files => ({
  Procfile: "web: node app.mjs\n",
  "app.mjs": server(version, `process.on("SIGTERM", () => {})\n`)
})

/** Says something and exits. */
export const exitingApp = (words: string): Files => ({ Procfile: `web: echo '${words}' >&2; exit 3\n` })

/** Runs and never listens. */
export const silentApp: Files = { Procfile: "web: echo waiting; sleep 600\n" }

/** A good app among this many other files. */
export const largeApp = (version: string, files: number): Files => ({
  ...goodApp(version),
  ...Object.fromEntries(Array.from({ length: files }, (_, index) => [`files/${index % 100}/${index}`, `${index}\n`]))
})
