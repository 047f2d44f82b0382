// Starts the reference server, as `../README.md` does. What it is made of is in server/main.ts.
import { main } from "./server/main.ts"
import { runServer } from "./server/runServer.ts"

runServer(main)
