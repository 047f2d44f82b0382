// Decides whether the entries of an archive may be unpacked: every path and link stays inside, no entry lies behind a
// link or a file, no devices, and not too much of anything. Pure: it sees names, kinds and sizes only.

import { strayLink, type TreeEntry } from "./treeLinks.ts"

/** How much an archive may hold. */
export interface ArchiveLimits {
  readonly entries: number
  readonly bytes: number
}

/** What a tar entry says about itself. */
export interface EntryHeader {
  readonly path: string
  readonly type: string
  readonly size: number
  readonly linkpath?: string | undefined
}

/** What an accepted archive leads to. A hard link (`copyOf`) names an earlier file. */
export interface ArchivePlan {
  readonly links: ReadonlyMap<string, string>
  readonly copies: ReadonlyMap<string, string>
  readonly topLevel: ReadonlyMap<string, "file" | "directory" | "link">
}

const kinds: Readonly<Record<string, "file" | "directory" | "link" | "copy">> = {
  File: "file",
  OldFile: "file",
  ContiguousFile: "file",
  Directory: "directory",
  SymbolicLink: "link",
  Link: "copy"
}

/** The path of an entry without `.` and doubled separators; undefined when it could lead out of the tree. */
export const innerPath = (path: string): string | undefined => {
  if (path.startsWith("/") || path.includes("\\") || path.includes("\0")) return undefined
  const parts = path.split("/").filter((part) => part !== "" && part !== ".")
  return parts.includes("..") ? undefined : parts.join("/")
}

/** Takes the headers one by one; `add` and `plan` answer a clause for a person when the archive must be refused. */
export const makeArchiveCheck = (
  limits: ArchiveLimits
): { readonly add: (header: EntryHeader) => string | undefined; readonly plan: () => ArchivePlan | string } => {
  const entries = new Map<string, TreeEntry>()
  const links = new Map<string, string>()
  const copies = new Map<string, string>()
  let count = 0
  let bytes = 0

  const addParents = (path: string): string | undefined => {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const parent = path.slice(0, end)
      const kind = entries.get(parent)?.kind ?? "directory"
      if (kind !== "directory") return `${path} lies behind a ${kind}`
      entries.set(parent, { kind: "directory" })
    }
    return undefined
  }

  const add = (header: EntryHeader): string | undefined => {
    bytes += header.size
    if (++count > limits.entries) return `it has more than ${limits.entries} entries`
    if (bytes > limits.bytes) return `it unpacks to more than ${limits.bytes} bytes`
    const kind = kinds[header.type]
    if (kind === undefined) return `${header.path} is neither a file nor a directory nor a link`
    const path = innerPath(header.path)
    if (path === undefined) return `${header.path} leads out of it`
    if (path === "") return kind === "directory" ? undefined : "an entry has no name"
    const present = entries.get(path)?.kind
    if (present !== undefined && (present !== kind || copies.has(path))) return `${path} is in it twice`
    return addParents(path) ?? place(kind, path, header.linkpath ?? "")
  }

  const place = (kind: "file" | "directory" | "link" | "copy", path: string, target: string): string | undefined => {
    if (kind === "copy") {
      const original = innerPath(target)
      if (original === undefined || entries.get(original)?.kind !== "file") return `${path} links to no file of it`
      copies.set(path, copies.get(original) ?? original)
    }
    if (kind === "link") links.set(path, target)
    entries.set(path, kind === "link" ? { kind, target } : { kind: kind === "copy" ? "file" : kind })
    return undefined
  }

  const plan = (): ArchivePlan | string => {
    const stray = strayLink(entries)
    if (stray !== undefined) return `the link ${stray} does not lead to a place inside it`
    const topLevel = [...entries]
      .filter(([path]) => !path.includes("/"))
      .map(([path, { kind }]) => [path, kind] as const)
    return topLevel.length === 0 ? "it holds no files" : { links, copies, topLevel: new Map(topLevel) }
  }

  return { add, plan }
}
