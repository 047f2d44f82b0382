// The transition tables: which status may follow which, as data that can be walked.

import { describe, expect, it } from "@effect/vitest"
import { AppStatus, appTransitions } from "../src/domain/App.ts"
import { DeploymentStatus, deploymentTransitions, isTerminal, sourcesOf } from "../src/domain/Deployment.ts"
import { hasEnded, JobStatus, jobTransitions } from "../src/domain/Job.ts"

type Table<Status extends string> = { readonly [From in Status]: ReadonlyArray<Status> }

const reachable = <Status extends string>(table: Table<Status>, start: Status): ReadonlySet<Status> => {
  const found = new Set<Status>([start])
  for (const status of found) for (const next of table[status]) found.add(next)
  return found
}

const terminal = ["healthy", "failed", "cancelled", "superseded"] as const

describe("the table of Deployments", () => {
  it("R4 reaches every status from queued", () => {
    expect([...reachable(deploymentTransitions, "queued")].sort()).toEqual([...DeploymentStatus.literals].sort())
  })

  it("R4 has no exit from a terminal status, and one from every other", () => {
    const withoutExit = DeploymentStatus.literals.filter((status) => deploymentTransitions[status].length === 0)
    expect(withoutExit).toEqual([...terminal])
    expect(DeploymentStatus.literals.filter(isTerminal)).toEqual([...terminal])
  })

  it("R1 never returns to a status that was left", () => {
    for (const status of DeploymentStatus.literals) {
      const after = deploymentTransitions[status].flatMap((next) => [...reachable(deploymentTransitions, next)])
      expect(after).not.toContain(status)
    }
  })

  it("B6 can be ended without success from every status that is not terminal", () => {
    for (const status of DeploymentStatus.literals.filter((each) => !isTerminal(each))) {
      expect(deploymentTransitions[status]).toEqual(expect.arrayContaining(["failed", "cancelled", "superseded"]))
    }
  })

  it("INV-8 reaches healthy only from deploying", () => {
    expect(sourcesOf("healthy")).toEqual(["deploying"])
  })

  it.each(DeploymentStatus.literals)("R4 allows as sources of %s exactly the statuses that it may follow", (to) => {
    for (const from of DeploymentStatus.literals) {
      expect(sourcesOf(to).includes(from)).toBe(deploymentTransitions[from].includes(to))
    }
  })

  it("R4 lets nothing come back to queued", () => {
    expect(sourcesOf("queued")).toEqual([])
  })
})

describe("the table of Apps", () => {
  it("R4 reaches every status from live, and deleted is the only one without an exit", () => {
    expect([...reachable(appTransitions, "live")].sort()).toEqual([...AppStatus.literals].sort())
    expect(AppStatus.literals.filter((status) => appTransitions[status].length === 0)).toEqual(["deleted"])
  })

  it.each(["expired", "deleting", "deleted"] as const)("R1 leads from %s to neither live nor stopped", (status) => {
    const after = [...reachable(appTransitions, status)]
    expect(after.filter((each) => each === "live" || each === "stopped")).toEqual([])
  })

  it("INV-6 leads from every status to deleted", () => {
    for (const status of AppStatus.literals) expect(reachable(appTransitions, status)).toContain("deleted")
  })

  it("R7 lets a stopped App start again, and nothing else", () => {
    expect(AppStatus.literals.filter((from) => appTransitions[from].includes("live"))).toEqual(["stopped"])
  })
})

describe("the table of Jobs", () => {
  const ends = ["succeeded", "failed", "cancelled"] as const
  const active = JobStatus.literals.filter((status) => !hasEnded(status))

  it("R4 reaches every status from queued, and succeeded is the only one without an exit", () => {
    expect([...reachable(jobTransitions, "queued")].sort()).toEqual([...JobStatus.literals].sort())
    expect(JobStatus.literals.filter((status) => jobTransitions[status].length === 0)).toEqual(["succeeded"])
  })

  it("R4 says which statuses are ends", () => {
    expect(JobStatus.literals.filter(hasEnded)).toEqual([...ends])
    expect(active).toEqual(["queued", "running"])
  })

  it("B6 can be ended without success from every status that is none", () => {
    for (const status of active) expect(jobTransitions[status]).toContain("cancelled")
    expect(jobTransitions.running).toEqual(expect.arrayContaining(["failed", "cancelled", "queued"]))
  })

  it("INV-3 ends well or badly only from running: what waits has done nothing", () => {
    for (const end of ["succeeded", "failed"] as const) {
      expect(JobStatus.literals.filter((from) => jobTransitions[from].includes(end))).toEqual(["running"])
    }
  })

  it("K9 leads from one end to another only through a rerun", () => {
    for (const end of ends) {
      const after = jobTransitions[end]
      expect(after.filter(hasEnded)).toEqual([])
      expect(after.length === 0).toBe(end === "succeeded")
    }
  })

  it("R4 never stays where it is", () => {
    for (const status of JobStatus.literals) expect(jobTransitions[status]).not.toContain(status)
  })
})
