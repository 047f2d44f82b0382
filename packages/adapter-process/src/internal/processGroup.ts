// Runs a program in a process group and session of its own that dies as a whole: when it is ended here, when its
// leader exits, and when this process is killed. Knows nothing about Workloads or Git.
//
// A watcher inside the group blocks on a pipe whose other end only this process holds, and kills the group when that
// end is closed, by the kernel if need be. The program neither inherits the pipe nor has the watcher as its child.

import { failpoint } from "@lockkeeper/core/port/failpoint"
import { Clock, Deferred, Duration, Effect, Result } from "effect"
import * as ChildProcess from "node:child_process"
import { isSame, membersOf, type ProcessIdentity, findProcess } from "./processTable.ts"
import { describeSystemError } from "./systemError.ts"
import { inRealTime } from "./settled.ts"

const wrapper = `
( trap '' HUP INT QUIT TERM USR1 USR2 ALRM PIPE TSTP TTIN TTOU
  { cd /; exec </dev/null >/dev/null 2>&1; while read -r _ <&3; do :; done; kill -KILL 0; } &
  echo $! >&3 )
exec 3<&-
unset PWD OLDPWD
exec "$@"`

/** What to run. The environment is replaced entirely; standard input is empty. */
export interface GroupSpec {
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly onOutput: (stream: "stdout" | "stderr", chunk: Buffer) => void
}

/** How the leader ended. */
export interface GroupExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running group. */
export interface ProcessGroup {
  readonly leader: ProcessIdentity
  /** Waits until the leader has exited. */
  readonly exited: Effect.Effect<GroupExit>
  /** Waits until the leader has exited and all output was handed over. */
  readonly finished: Effect.Effect<GroupExit>
  /** TERM, then after the grace KILL, to the whole group; answers whether it is gone. May be called again. */
  readonly end: (grace: Duration.Duration) => Effect.Effect<boolean>
}

const outputPatienceMillis = 1_000
const killPatience = Duration.seconds(5)

/** Starts the program. Fails with a clause for a person; then nothing was started. */
export const startGroup = (spec: GroupSpec): Effect.Effect<ProcessGroup, string> =>
  failpoint("process.start", Effect.void, Effect.fail("a failpoint")).pipe(
    Effect.andThen(started(spec)),
    Effect.uninterruptible
  )

const started = (spec: GroupSpec): Effect.Effect<ProcessGroup, string> =>
  Effect.callback<ProcessGroup, string>((resume) => {
    const spawned = spawn(spec)
    if (Result.isFailure(spawned)) return resume(Effect.fail(spawned.failure))
    const child = spawned.success
    child.once("error", (error) => resume(Effect.fail(describeSystemError(error))))
    if (child.pid === undefined) return
    const leader = findProcess(child.pid)
    if (leader === undefined) {
      child.kill("SIGKILL")
      resume(Effect.fail("the process table cannot be read"))
      return
    }
    const group = watch(child, leader, spec.onOutput)
    child.once("spawn", () => resume(Effect.succeed(group)))
  })

// Most failures are told as an event; some, such as arguments that are too long, are thrown.
const spawn = (spec: GroupSpec): Result.Result<ChildProcess.ChildProcess, string> =>
  Result.try({
    try: () =>
      ChildProcess.spawn("/bin/sh", ["-c", wrapper, "sh", ...spec.argv], {
        cwd: spec.cwd,
        env: spec.env,
        detached: true,
        stdio: ["ignore", "pipe", "pipe", "pipe"]
      }),
    catch: describeSystemError
  })

const watch = (
  child: ChildProcess.ChildProcess,
  leader: ProcessIdentity,
  onOutput: GroupSpec["onOutput"]
): ProcessGroup => {
  const exited = Deferred.makeUnsafe<GroupExit>()
  const drained = Deferred.makeUnsafe<void>()
  const lifeline = child.stdio[3]
  let watcher: number | undefined
  let ending = false
  let open = 2

  const release = (): void => void lifeline?.destroy()
  lifeline?.on("error", release)
  lifeline?.on("data", (chunk: Buffer) => {
    watcher ??= Number.parseInt(chunk.toString("latin1"), 10)
  })
  for (const [name, stream] of [
    ["stdout", child.stdout],
    ["stderr", child.stderr]
  ] as const) {
    stream?.on("data", (chunk: Buffer) => onOutput(name, chunk))
    stream?.on("error", () => stream.destroy())
    stream?.once("close", () => {
      if (--open === 0) Deferred.doneUnsafe(drained, Effect.void)
    })
  }
  child.once("exit", (code, signal) => {
    if (!ending) release()
    // Someone who left the group may hold the outputs open for ever.
    setTimeout(() => {
      child.stdout?.destroy()
      child.stderr?.destroy()
    }, outputPatienceMillis).unref()
    Deferred.doneUnsafe(exited, Effect.succeed({ code, signal }))
  })

  const finished = Effect.tap(Deferred.await(exited), () => Deferred.await(drained))

  const remaining = (): ReadonlyArray<number> => membersOf(leader.pid).filter((pid) => pid !== watcher)
  const end = (grace: Duration.Duration): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      ending = true
      return signalThenKill(leader, grace, remaining, release)
    })
  return { leader, exited: Deferred.await(exited), finished, end }
}

/** Ends the group of another server's process on this host; its own server notices. */
export const endForeignGroup = (leader: ProcessIdentity, grace: Duration.Duration): Effect.Effect<boolean> =>
  Effect.suspend(() =>
    isSame(leader)
      ? signalThenKill(
          leader,
          grace,
          () => membersOf(leader.pid),
          () => undefined
        )
      : Effect.succeed(true)
  )

const signalThenKill = (
  leader: ProcessIdentity,
  grace: Duration.Duration,
  remaining: () => ReadonlyArray<number>,
  release: () => void
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    yield* failpoint("process.end", Effect.void)
    signalGroup(leader, "SIGTERM")
    yield* untilEmpty(remaining, grace)
    signalGroup(leader, "SIGKILL")
    release()
    return yield* untilEmpty(() => membersOf(leader.pid), killPatience)
  }).pipe(inRealTime)

// A deadline of its own: a timeout would not end it inside a finalizer.
const untilEmpty = Effect.fnUntraced(function* (members: () => ReadonlyArray<number>, patience: Duration.Duration) {
  const deadline = (yield* Clock.currentTimeMillis) + Duration.toMillis(patience)
  for (let pauseMillis = 5; members().length > 0; pauseMillis = Math.min(pauseMillis * 2, 100)) {
    const leftMillis = deadline - (yield* Clock.currentTimeMillis)
    if (leftMillis <= 0) return false
    yield* Effect.sleep(Duration.millis(Math.min(pauseMillis, leftMillis)))
  }
  return true
})

// While the pid is the leader's, its group is ours; afterwards only the watcher, being inside, may signal it.
const signalGroup = (leader: ProcessIdentity, signal: NodeJS.Signals): void => {
  if (!isSame(leader)) return
  try {
    process.kill(-leader.pid, signal)
  } catch {
    // It ended meanwhile: that is what was wanted.
  }
}
