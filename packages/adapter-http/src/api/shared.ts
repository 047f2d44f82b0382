// What the routes of an App and of its Deployments have in common.
import { Schema } from "effect"
import * as Problems from "./Problems.ts"

/** The path of an App. */
export const app = { app: Schema.String }

/** What every route of something that exists may answer. */
export const found = [Problems.NotFound, Problems.StoreUnavailable] as const

/** Where something that was made is. */
export const location = { location: Schema.String }

/** Why a Deployment may not begin, whatever it is made from. */
export const refusals = [Problems.DeploymentInProgress, Problems.RevisionMismatch, Problems.QueueFull] as const
