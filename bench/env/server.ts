// The reference server as the bench starts it: it also stops when the bench is gone, however that ended.

import { main } from "../../examples/server/main.ts"
import { runServer } from "../../examples/server/runServer.ts"

const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGTERM")
}, 500).unref()

runServer(main)
