// Git's own HTTP server program behind a real HTTP server.

import { Effect } from "effect"
import { spawn } from "node:child_process"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Path from "node:path"
import { httpServer } from "./servers.ts"

const headerOf = (request: IncomingMessage, name: string): string => String(request.headers[name] ?? "")

const answer = (root: string, request: IncomingMessage, response: ServerResponse): void => {
  const { pathname, search } = new URL(request.url ?? "", "http://host")
  const env = {
    PATH: process.env["PATH"],
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: "1",
    REQUEST_METHOD: request.method,
    PATH_INFO: pathname,
    QUERY_STRING: search.slice(1),
    CONTENT_TYPE: headerOf(request, "content-type"),
    HTTP_CONTENT_ENCODING: headerOf(request, "content-encoding"),
    GIT_PROTOCOL: headerOf(request, "git-protocol")
  }
  const backend = spawn("git", ["http-backend"], { env, stdio: ["pipe", "pipe", "ignore"] })
  const chunks: Array<Buffer> = []
  request.pipe(backend.stdin)
  backend.stdout.on("data", (chunk: Buffer) => chunks.push(chunk))
  backend.once("close", () => {
    const output = Buffer.concat(chunks)
    const end = output.indexOf("\r\n\r\n")
    const headers = output.toString("latin1", 0, end).split("\r\n")
    const status = headers.find((header) => header.startsWith("Status: "))
    response.statusCode = status === undefined ? 200 : Number.parseInt(status.slice("Status: ".length), 10)
    for (const header of headers.filter((other) => other !== status)) {
      response.setHeader(header.slice(0, header.indexOf(":")), header.slice(header.indexOf(":") + 2))
    }
    response.end(output.subarray(end + 4))
  })
}

/** Serves one repository as `/repo`. */
export const gitServer = (repository: string) =>
  Effect.map(
    httpServer((_, response, request) => {
      request.url = (request.url ?? "").replace("/repo", `/${Path.basename(repository)}`)
      answer(Path.dirname(repository), request, response)
    }),
    ({ origin }) => ({ origin })
  )
