// The order of test files: proofs first, in the order of their list, so that the time in which they are going on is theirs.

import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { proofOrder } from "../../scripts/proofFiles.ts"

/** Puts the proofs of all projects before all other files. */
export class ProofsFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const placeOf = ({ moduleId, project }: TestSpecification): number =>
      proofOrder(relative(project.config.root, moduleId)) ?? Number.POSITIVE_INFINITY
    const places = new Map(files.map((spec) => [spec, placeOf(spec)]))
    const place = (spec: TestSpecification): number => places.get(spec) ?? Number.POSITIVE_INFINITY
    return (await super.sort(files)).toSorted((one, other) =>
      place(one) < place(other) ? -1 : Number(place(one) > place(other))
    )
  }
}
