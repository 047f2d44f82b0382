// The order of test files: proofs first, in the order of their list, so that the time in which they are going on is theirs.
// Then what waits for more than a minute or so, so that it is not begun when all others are through.

import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { proofOrder } from "../../scripts/proofFiles.ts"

const waiting: ReadonlyArray<string> = [
  "packages/adapter-docker/test/stuckEngine.test.ts",
  "test/e2e/databaseAway.test.ts"
]

const placeOf = (file: string): number =>
  proofOrder(file) ?? (waiting.includes(file) ? Number.MAX_SAFE_INTEGER : Number.POSITIVE_INFINITY)

/** Puts the proofs of all projects before all other files. */
export class ProofsFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const places = new Map(files.map((spec) => [spec, placeOf(relative(spec.project.config.root, spec.moduleId))]))
    const place = (spec: TestSpecification): number => places.get(spec) ?? Number.POSITIVE_INFINITY
    return (await super.sort(files)).toSorted((one, other) =>
      place(one) < place(other) ? -1 : Number(place(one) > place(other))
    )
  }
}
