// What is erased of an App that is deleted, in memory.
import type { AppRow, MemoryTables } from "./MemoryState.ts"

/** Erases the secrets of an App: the keys in its Sources, and the values of its Env. */
export const erase = (state: MemoryTables, row: AppRow): void => {
  const { id, source } = row.app
  row.source = source ?? undefined
  for (const other of state.deployments.values()) {
    if (other.deployment.app === id) other.source = other.deployment.source
  }
  const revisions = state.revisions.get(id) ?? []
  state.revisions.set(
    id,
    revisions.map((revision) => ({ ...revision, change: new Map() }))
  )
}
