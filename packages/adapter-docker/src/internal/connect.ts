// A client of the engine, from where the operator says that it is.

import Dockerode from "dockerode"
import type { DockerEngineOptions } from "../DockerEngine.ts"

/** A client of the engine. */
export const connect = ({ engine }: DockerEngineOptions): Dockerode => {
  if (engine === undefined) return new Dockerode()
  if (engine.startsWith("unix://")) return new Dockerode({ socketPath: engine.slice("unix://".length) })
  const { hostname, port } = new URL(engine)
  return new Dockerode({ protocol: "http", host: hostname, port: port === "" ? 2375 : Number(port) })
}
