// Decides whether the symbolic links of a tree stay inside it, by walking them as the kernel would, before any of them
// exists. Pure: it knows names and targets only.

/** What a path of a tree is. Paths are relative, separated by `/`, without `.` and `..`. */
export type TreeEntry = { readonly kind: "file" | "directory" } | { readonly kind: "link"; readonly target: string }

const linkLimit = 40

const parts = (path: string): ReadonlyArray<string> => path.split("/").filter((part) => part !== "" && part !== ".")

/** Whether the link at `path` leads to a place inside the tree, existing or not. */
export const staysInside = (entries: ReadonlyMap<string, TreeEntry>, path: string): boolean => {
  const pending = [...parts(path)]
  const reached: Array<string> = []
  for (let links = 0; pending.length > 0;) {
    const part = pending.shift()
    if (part === "..") {
      if (reached.pop() === undefined) return false
    } else if (part !== undefined) {
      const entry = entries.get([...reached, part].join("/"))
      if (entry?.kind !== "link") {
        reached.push(part)
      } else {
        if (entry.target.startsWith("/") || ++links > linkLimit) return false
        pending.unshift(...parts(entry.target))
      }
    }
  }
  return true
}

/** The first link that leaves the tree or leads nowhere in a circle. */
export const strayLink = (entries: ReadonlyMap<string, TreeEntry>): string | undefined => {
  for (const [path, entry] of entries) {
    if (entry.kind === "link" && !staysInside(entries, path)) return path
  }
  return undefined
}
