// Apps as users write them, good and bad ones, as the files of their repositories: a Procfile for the process runtime and a
// Dockerfile for Docker.

import type { Files } from "./archiveServer.ts"
import { byFlavour } from "./flavour.ts"
import { images } from "./images.ts"

/** What the app answers to every request but its health check. `instance` differs from one start to the next. */
export interface Answer {
  readonly version: string
  readonly pid: number
  readonly instance: string
  readonly env: Readonly<Record<string, string>>
}

const server = (version: string, more = ""): string => `import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
const instance = randomUUID()
const answer = JSON.stringify({ version: ${JSON.stringify(version)}, pid: process.pid, instance, env: process.env })
const server = createServer((request, response) => {
  if (request.url === "/healthz") return response.writeHead(200).end()
  response.writeHead(200, { "content-type": "application/json" }).end(answer)
})
const { HOST = "127.0.0.1", PORT } = process.env
server.listen(Number(PORT), HOST, () => console.log("app ${version} listens"))
${more}`

const stopping = `process.on("SIGTERM", () => server.close(() => process.exit(0)))\n`

const node = { cmd: ["node", "app.mjs"], line: "node app.mjs" }

const shell = (line: string) => ({ cmd: ["sh", "-c", line], line })

/** How an app is run, for both runtimes. `steps` are more lines of the Dockerfile. */
const run = ({ cmd, line }: typeof node, steps = ""): Files => ({
  Procfile: `web: ${line}\n`,
  Dockerfile: `FROM ${images.node}\nWORKDIR /app\nENV HOST=0.0.0.0\n${steps}COPY . .\nCMD ${JSON.stringify(cmd)}\n`
})

/** Answers at once and stops when it is told to. */
export const goodApp = (version: string): Files => ({ ...run(node), "app.mjs": server(version, stopping) })

/** A good app that counts aloud. */
export const countingApp = (version: string): Files => ({
  ...run(node),
  "app.mjs": server(version, `${stopping}let count = 0\nsetInterval(() => console.log("count " + ++count), 20)\n`)
})

/** Answers at once and does not stop when it is told to. */
export const deafApp = (version: string): Files => ({
  ...run(node),
  "app.mjs": server(version, `process.on("SIGTERM", () => {})\n`)
})

/** Says something and exits. */
export const exitingApp = (words: string): Files => run(shell(`echo '${words}' >&2; exit 3`))

/** Runs and never listens. */
export const silentApp: Files = run(shell("echo waiting; sleep 600"))

/** Takes more memory than it may have. */
export const greedyApp: Files = {
  ...run(node),
  "app.mjs": `const kept = []\nfor (;;) kept.push(Buffer.alloc(1 << 25, 1))\n`
}

/** A good app that takes a while to be built: many files to copy, or a step that waits. */
export const slowlyBuilt = (version: string): Files =>
  byFlavour({
    docker: { ...goodApp(version), ...run(node, "RUN sleep 30\n") },
    process: {
      ...goodApp(version),
      ...Object.fromEntries(
        Array.from({ length: 2_000 }, (_, index) => [`files/${index % 100}/${index}`, `${index}\n`])
      )
    }
  })
