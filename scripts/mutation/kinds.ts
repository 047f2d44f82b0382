// What a guard looks like: in SQL, which is looked for in string and template literals only, and in code.

/** A pattern of guards. Where a match ends in an opening bracket, the guard ends with the closing one. */
export interface Kind {
  readonly kind: string
  readonly pattern: RegExp
}

const value = String.raw`(?:\$\{[^}]*\}|'[^']*'|\d+|(?!case\b)[\w.]+(?: \+ 1)?)`

/** Guards in SQL. */
export const sqlKinds: ReadonlyArray<Kind> = [
  { kind: "check", pattern: /\b(?:constraint \w+ )?check \(/g },
  { kind: "exclude", pattern: /\b(?:constraint \w+ )?exclude (?:using \w+ )?\(/g },
  { kind: "unique", pattern: /\bcreate unique index \w+ [^`"]*|\b(?:constraint \w+ )?unique \(|\bunique\b/g },
  { kind: "key", pattern: /\bforeign key \([^)]*\) references \w+|\bprimary key(?: \()?|\breferences \w+/g },
  { kind: "fence", pattern: new RegExp(String.raw`[\w.]*fence (?:<=|>=|<>|=|<|>) ${value}|[\w.]*fence \+ 1`, "g") },
  { kind: "owner", pattern: /\breservation = \$\{[^}]*\}/g },
  { kind: "lock", pattern: /\bfor (?:no key update|update|key share|share)\b|\bskip locked\b|\block table\b/g },
  { kind: "conflict", pattern: /\bon conflict(?: \(\w+\))?(?:\s+do (?:nothing|update))?/g },
  {
    kind: "status",
    pattern: new RegExp(String.raw`(?<!set )\b[\w.]*status (?:(?:not )?in \(|(?:=|<>) ${value})`, "g")
  },
  { kind: "lease", pattern: /[\w.]*until (?:<=|>=|<|>) [\w.]+\(\)/g },
  { kind: "cap", pattern: /(?:<=|<) (?:\$\{cap\}|[\w.]*job_cap)/g },
  { kind: "snapshot", pattern: /\bpg_snapshot_xmin\b/g },
  { kind: "released", pattern: /[\w.]*released_at is null/g }
]

const statuses = "queued|building|deploying|healthy|failed|cancelled|superseded|live|stopped|expired|deleting|deleted"

/** Guards in code. */
export const codeKinds: ReadonlyArray<Kind> = [
  {
    kind: "finalizer",
    pattern:
      /\b(?:Effect|Layer|Scope|Stream)\.(?:acquireRelease|acquireUseRelease|addFinalizer|onInterrupt|onExit|onError|ensuring)\(/g
  },
  { kind: "region", pattern: /\bEffect\.uninterruptible(?:Mask)?\b\(?/g },
  {
    kind: "lease",
    pattern:
      /\b(?:holdLease|whileLeased|untilLost)\(|(?:\bif \(.*\) return )?yield\* new LeaseLost\(|\.(?:leaseUntil|until) (?:<=|>=|<|>) \w+/g
  },
  { kind: "fence", pattern: /[\w.?]*[fF]ence (?:===|!==|<=|>=|<|>) (?!undefined)[\w.?]+/g },
  { kind: "status", pattern: new RegExp(String.raw`[\w.?]*\bstatus (?:===|!==) "(?:${statuses})"`, "g") }
]
