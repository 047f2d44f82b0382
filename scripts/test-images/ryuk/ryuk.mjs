// The reaper of testcontainers where the image of Ryuk cannot be pulled. It speaks what testcontainers for Node uses of
// Ryuk's protocol: a client sends lines such as `label=key=value&label=other`, gets `ACK` for each, and stays connected
// while it lives. Once no client is left for a while, the reaper removes whatever carries those labels, and ends.

import { request } from "node:http"
import { createServer } from "node:net"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"

const units = { ms: 1, s: 1000, m: 60_000 }

/** Durations are written as in Go (`10s`); a bare number is seconds. */
const milliseconds = (name, fallback) => {
  const [, amount, unit = "s"] = /^(\d+)(ms|s|m)?$/.exec(process.env[name] ?? fallback) ?? []
  if (amount === undefined) throw new Error(`${name} is not a duration`)
  return Number(amount) * units[unit]
}

const connectionTimeout = milliseconds("RYUK_CONNECTION_TIMEOUT", "60s")
const reconnectionTimeout = milliseconds("RYUK_RECONNECTION_TIMEOUT", "10s")

/** Each answers what carries all of these labels, as paths that remove it. */
const kinds = [
  async (filters) =>
    (await json(`/containers/json?all=true&${filters}`))
      .filter(({ Labels }) => Labels["org.testcontainers.ryuk"] !== "true")
      .map(({ Id }) => `/containers/${Id}?force=true&v=true`),
  async (filters) => (await json(`/networks?${filters}`)).map(({ Id }) => `/networks/${Id}`),
  async (filters) => ((await json(`/volumes?${filters}`)).Volumes ?? []).map(({ Name }) => `/volumes/${Name}`),
  async (filters) => (await json(`/images/json?${filters}`)).map(({ Id }) => `/images/${Id}?force=true`)
]

const call = (method, path) =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath: "/var/run/docker.sock", method, path }, async (response) => {
      const chunks = await response.toArray()
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString("utf8") })
    })
    sent.on("error", reject).end()
  })

const json = async (path) => {
  const { status, text } = await call("GET", path)
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
  return JSON.parse(text)
}

const removeOnce = async (labels) => {
  const filters = `filters=${encodeURIComponent(JSON.stringify({ label: labels }))}`
  let found = 0
  for (const kind of kinds) {
    for (const path of await kind(filters)) {
      found += 1
      const { status, text } = await call("DELETE", path)
      console.log(`DELETE ${path}: ${status} ${text}`)
    }
  }
  return found
}

/** Looks again until nothing is found: the engine finishes what a client asked for before it was killed. */
const removeAll = async (labels) => {
  for (let round = 0; round < 20; round += 1) {
    const found = await removeOnce(labels).catch((error) => console.log(String(error)))
    if (found === 0) return
    await sleep(500)
  }
}

const filters = new Set()
let clients = 0
let timer

const server = createServer((socket) => {
  clients += 1
  clearTimeout(timer)
  createInterface({ input: socket }).on("line", (line) => {
    if (line.trim() !== "") filters.add(line.trim())
    socket.write("ACK\n")
  })
  socket.on("error", (error) => console.log(String(error)))
  socket.on("close", () => {
    clients -= 1
    if (clients === 0) removeAfter(reconnectionTimeout)
  })
})

const removeAfter = (delay) => {
  timer = setTimeout(async () => {
    // Who connects from now on has to start a reaper of its own.
    server.close()
    for (const filter of filters) await removeAll(new URLSearchParams(filter).getAll("label"))
    process.exit(0)
  }, delay)
}

process.on("SIGTERM", () => process.exit(0))
server.listen(8080, () => console.log("Started"))
removeAfter(connectionTimeout)
