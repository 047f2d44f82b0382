// The sample app: answers with a page that says which process served it, since when, and what GREETING is set to.
import { createServer } from "node:http"

const startedAt = new Date().toISOString()
const greeting = process.env.GREETING ?? "Hello from your first deployment"

const escape = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

const page = () => `<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width" />
  <title>Lockkeeper sample app</title>
  <style>
    body { font: 18px/1.6 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem; color: #1c2733 }
    h1 { font-size: 1.8rem; line-height: 1.2 }
    code { background: #eef2f6; padding: 0.1rem 0.35rem; border-radius: 4px }
  </style>
  <h1>${escape(greeting)}</h1>
  <p>Process <code>${process.pid}</code> has served this app since <code>${startedAt}</code>.</p>
  <p>Set <code>GREETING</code> in the app's env and deploy again: this address stays, the process changes, and no request
  fails in between.</p>
</html>
`

const server = createServer((request, response) => {
  if (request.url === "/healthz") return response.writeHead(200, { "content-type": "text/plain" }).end("ok\n")
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page())
})

const { HOST = "127.0.0.1", PORT } = process.env
server.listen(Number(PORT), HOST, () => console.log(`the sample app listens on ${PORT}`))
process.on("SIGTERM", () => server.close(() => process.exit(0)))
