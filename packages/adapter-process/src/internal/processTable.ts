// Tells whether a process is the one that was meant, by its pid and its start time, so that a reused pid is never
// mistaken for it. Looks only; signals are sent by the callers.

import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"

/** One entry of the process table. `ended`: a zombie, which only waits to be reaped. */
export interface ProcessEntry {
  readonly pid: number
  readonly group: number
  readonly start: string
  readonly ended: boolean
}

/** A process that can be recognised again. */
export interface ProcessIdentity {
  readonly pid: number
  readonly start: string
}

/** Reads `/proc/PID/stat`. The command in parentheses may itself hold blanks and parentheses. */
export const parseStat = (text: string): ProcessEntry | undefined => {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  const [pid, state, group, start] = [Number.parseInt(text, 10), fields[0], Number(fields[2]), fields[19]]
  const valid = Number.isInteger(pid) && Number.isInteger(group) && start !== undefined && /^\d+$/.test(start)
  return valid ? { pid, group, start, ended: state === "Z" || state === "X" } : undefined
}

const psLine = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S+ +\S+ +\d+ +[\d:]+ +\d+)\s*$/

/** Reads a line of `ps -o pid=,pgid=,stat=,lstart=`, with times in UTC. */
export const parsePs = (line: string): ProcessEntry | undefined => {
  const [, pid, group, state, started] = psLine.exec(line) ?? []
  if (state === undefined || started === undefined) return undefined
  const start = String(Date.parse(`${started} UTC`) / 1000)
  return { pid: Number(pid), group: Number(group), start, ended: state.startsWith("Z") }
}

const fromProc = (pid: number | string): ProcessEntry | undefined => {
  try {
    return parseStat(Fs.readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return undefined
  }
}

const fromPs = (...selection: ReadonlyArray<string>): ReadonlyArray<ProcessEntry> =>
  spawnSync("ps", [...selection, "-o", "pid=,pgid=,stat=,lstart="], {
    env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
    encoding: "utf8"
  })
    .stdout.split("\n")
    .flatMap((line) => parsePs(line) ?? [])

const isLinux = process.platform === "linux"

/** The process that has this pid now, zombies included. */
export const findProcess = (pid: number): ProcessEntry | undefined =>
  isLinux ? fromProc(pid) : fromPs("-p", String(pid))[0]

/** Whether the pid still belongs to that process, which may be a zombie: its group may be signalled. */
export const isSame = ({ pid, start }: ProcessIdentity): boolean => findProcess(pid)?.start === start

/** Whether that process still runs. */
export const isAlive = ({ pid, start }: ProcessIdentity): boolean => {
  const found = findProcess(pid)
  return found !== undefined && found.start === start && !found.ended
}

const canSignal = (target: number): boolean => {
  try {
    return process.kill(target, 0)
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH")
  }
}

/** The pids of a process group, zombies excluded. */
export const membersOf = (group: number): ReadonlyArray<number> => {
  if (!canSignal(-group)) return []
  const entries = isLinux
    ? Fs.readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (fromProc(name) ?? []) : []))
    : fromPs("-A")
  return entries.filter((entry) => entry.group === group && !entry.ended).map(({ pid }) => pid)
}

const self = findProcess(process.pid)

/** This process. */
export const thisProcess: ProcessIdentity = { pid: process.pid, start: self?.start ?? "0" }

/** `PID-START`, which names a process for others. */
export const identityText = ({ pid, start }: ProcessIdentity): string => `${pid}-${start}`

/** Reads `PID-START`, also where something follows after another `-`. */
export const parseIdentity = (text: string): ProcessIdentity | undefined => {
  const [, pid, start] = /^(\d{1,10})-(\d{1,20})(?:-|$)/.exec(text) ?? []
  return pid === undefined || start === undefined || Number(pid) < 1 ? undefined : { pid: Number(pid), start }
}
