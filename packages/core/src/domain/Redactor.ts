// Takes the secrets of a Deployment out of what is said: out of the lines of a log, also where a long line was cut in the
// middle of one, and out of errors. It never says which secret it found, nor which one it does not look for.
import { Redacted } from "effect"
import { type Env, mask } from "./Env.ts"
import type { LogEntry, LogStream } from "./LogLine.ts"
import { makePhraseMatcher, type Matching } from "./phraseMatcher.ts"
import { minSecretLength, secretForms } from "./secretForms.ts"
import type { Source } from "./Source.ts"

/** Puts {@link mask} in the place of secrets. */
export interface Redactor {
  /** A text without secrets. At its end also the beginning of one is taken out, because texts are cut to be short. */
  readonly text: (text: string) => string
  /** Begins a log, whose lines come in the order in which each stream says them. */
  readonly log: () => LogRedactor
}

/** Redacts the lines of one log. */
export interface LogRedactor {
  /** Takes a line and answers those that can be kept now: a cut one waits while its end may be the beginning of a secret. */
  readonly push: (entry: LogEntry) => ReadonlyArray<LogEntry>
  /** The lines that still wait. */
  readonly end: () => ReadonlyArray<LogEntry>
}

/** What must not be said of a Deployment: the values of its Env and the key of its Source. */
export const secretsOf = (env: Env, source?: Source): ReadonlyArray<Redacted.Redacted<string>> => [
  ...[...env].map(([, value]) => value),
  ...(source?.type === "git" && source.deployKey !== undefined ? [source.deployKey] : [])
]

/**
 * Makes the Redactor of these secrets. Each is found as it is, as base64 of any text around it, URL-encoded and in JSON;
 * one of several lines also line by line. What is shorter than {@link minSecretLength} is not looked for.
 */
export const makeRedactor = (secrets: Iterable<Redacted.Redacted<string>>): Redactor => {
  const phrases = new Set([...secrets].flatMap((secret) => secretForms(Redacted.value(secret))))
  if (phrases.size === 0) return { text: (text) => text, log: () => ({ push: (entry) => [entry], end: () => [] }) }
  const { begin, isIn } = makePhraseMatcher([...phrases], inStandardAlphabet)

  const log = (): LogRedactor => {
    const cut = new Map<LogStream, CutLine>()
    return {
      push: (entry) => {
        const known = cut.get(entry.stream)
        if (known === undefined && entry.isCut !== true && !isIn(entry.line)) return [entry]
        const line = known ?? makeCutLine(begin())
        if (entry.isCut === true) cut.set(entry.stream, line)
        else cut.delete(entry.stream)
        return line.push(entry)
      },
      end: () => {
        const rest = [...cut.values()].flatMap((line) => line.end())
        cut.clear()
        return rest
      }
    }
  }
  const text = (whole: string): string => {
    const line = makeCutLine(begin())
    const said = line.push({ stream: "system", line: whole, isCut: true })
    return [...said, ...line.end()].map(({ line }) => line).join("")
  }
  return { text, log }
}

const [minus, plus, underscore, slash] = [45, 43, 95, 47]

/** Base64 has two alphabets, which differ in two characters. */
const inStandardAlphabet = (code: number): number => (code === minus ? plus : code === underscore ? slash : code)

/** A line that may come in several entries. */
interface CutLine {
  readonly push: (entry: LogEntry) => ReadonlyArray<LogEntry>
  readonly end: () => ReadonlyArray<LogEntry>
}

const makeCutLine = (matching: Matching): CutLine => {
  const held: Array<LogEntry> = []
  let done = 0
  let read = 0

  const release = (entry: LogEntry): LogEntry => {
    const [from, end] = [done, done + entry.line.length]
    done = end
    const { spans } = matching
    if (spans.length === 0) return entry
    let [line, shown] = ["", from]
    for (const span of spans) {
      if (span.start >= end) break
      if (span.start >= from) line += entry.line.slice(shown - from, span.start - from) + mask
      shown = Math.min(span.end, end)
    }
    const over = spans.findIndex((span) => span.end > end)
    spans.splice(0, over === -1 ? spans.length : over)
    return { ...entry, line: line + entry.line.slice(shown - from) }
  }
  const releaseUntil = (settled: number): ReadonlyArray<LogEntry> => {
    const ready: Array<LogEntry> = []
    for (let [first] = held; first !== undefined && done + first.line.length <= settled; [first] = held) {
      ready.push(release(first))
      held.shift()
    }
    return ready
  }

  return {
    push: (entry) => {
      held.push(entry)
      matching.push(entry.line)
      read += entry.line.length
      return releaseUntil(entry.isCut === true ? matching.open() : read)
    },
    end: () => {
      const open = matching.open()
      if (read - open >= minSecretLength) matching.close(open)
      return releaseUntil(read)
    }
  }
}
