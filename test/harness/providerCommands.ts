// What nodes and steps of the laws of Providers run, where there is a shell.

import type { ProviderFixture } from "@lockkeeper/core/testing/ProviderFixture"

/** Runs a line in a shell. */
export const shell = (line: string) => ["sh", "-c", line] as const

/** The commands of a fixture. */
export const shellCommands: ProviderFixture<never>["command"] = {
  goesOn: ["sleep", "100000"],
  exits: (code) => shell(`exit ${code}`),
  environment: ["env"],
  credentials: shell(`cd "$LOCKKEEPER_CREDENTIALS" && for file in *; do echo "$file=$(cat "$file")"; done`),
  fills: (bytes) => shell(`head -c ${bytes} /dev/zero > "$LOCKKEEPER_RESULTS/results.json"`),
  holds: (mark) => shell(`sh -c 'trap "" TERM; sleep 99999; : ${mark}' & sleep 99999; : ${mark}`)
}
