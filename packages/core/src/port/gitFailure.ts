// Reads what Git and ssh complained about. The remote side can write here too: its words choose a reason and are quoted
// in one short, cleaned line, and nothing else.
import { SourceError } from "./SourceFetcher.ts"

type Reason = SourceError["reason"]

const signs: ReadonlyArray<readonly [Reason, RegExp]> = [
  ["host_key_mismatch", /REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known for|Host key verification failed/i],
  [
    "auth_failed",
    /Permission denied|Authentication failed|could not read (?:Username|Password)|returned error: 40[13]|Access denied|Load key /i
  ],
  [
    "ref_not_found",
    /couldn't find remote ref|not our ref|no such remote ref|unadvertised object|(?:remote|fatal).*invalid refspec/i
  ]
]

const explanations: Readonly<Record<Reason, string>> = {
  source_unreachable: "the repository could not be fetched",
  host_key_mismatch: "the server's host key is not among the pinned ones",
  auth_failed: "the repository's server refused the access",
  ref_not_found: "the repository has no such ref or commit",
  checksum_mismatch: "the repository's content is damaged",
  no_build_file: "the source cannot be built"
}

const redactions: ReadonlyArray<readonly [RegExp, string]> = [
  [/\p{Cc}+/gu, " "],
  [/(?<=:\/\/)[^\s/@']*@/g, ""],
  [/-----BEGIN[^-]*-----.*/g, "[key]"],
  [/(?:"|')?\/[^\s"']*\/keys\/[^\s"']*(?:"|')?/g, "the deploy key"]
]

const clean = (line: string): string =>
  redactions
    .reduce((text, [pattern, by]) => text.replaceAll(pattern, by), line)
    .trim()
    .slice(0, 200)

/** Whether the server refuses to hand out a commit by its id, so that it has to be found in the history of a ref. */
export const refusesCommitIds = (stderr: string): boolean => /unadvertised object/i.test(stderr)

/** Whether the repository names its commits by another algorithm. */
export const usesOtherFormat = (stderr: string): boolean =>
  /mismatched algorithms|support this repository's object format/i.test(stderr)

/** What the end of a failed Git command means. */
export const gitFailure = (stderr: string): SourceError => {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "")
  const [reason, pattern] = signs.find(([, pattern]) => pattern.test(stderr)) ?? [
    "source_unreachable",
    /^(?:fatal|error|ssh): /i
  ]
  const said = lines.find((line) => pattern.test(line)) ?? lines.at(-1)
  return new SourceError({
    reason,
    detail: said === undefined ? explanations[reason] : `${explanations[reason]}: ${clean(said)}`
  })
}
