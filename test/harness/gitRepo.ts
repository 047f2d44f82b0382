// A real Git repository for tests, with commits that are made on the spot. Independent of the user's configuration.

import { Effect, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { temporaryDirectory } from "./temporaryDirectory.ts"

/** What a commit holds at a path: a text, an executable text, or a symbolic link. */
export type RepoFile = string | { readonly executable: string } | { readonly link: string }

/** A repository with a work tree, on the branch `main`. Everything is synchronous. */
export interface GitRepo {
  readonly path: string
  /** Writes these files, leaves all others, commits everything and answers the commit's id. */
  readonly commit: (files: Readonly<Record<string, RepoFile>>) => string
  /** Runs any git command in it and answers what it printed, trimmed. */
  readonly git: (...args: ReadonlyArray<string>) => string
}

const env = {
  PATH: process.env["PATH"],
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.com"
}

const write = (path: string, file: RepoFile): void => {
  Fs.mkdirSync(Path.dirname(path), { recursive: true })
  Fs.rmSync(path, { force: true })
  if (typeof file === "string") Fs.writeFileSync(path, file)
  else if ("link" in file) Fs.symlinkSync(file.link, path)
  else Fs.writeFileSync(path, file.executable, { mode: 0o755 })
}

/** Makes a repository with one commit of these files; it is removed when the Scope closes. */
export const gitRepo = (
  files: Readonly<Record<string, RepoFile>>,
  format: "sha1" | "sha256" = "sha1"
): Effect.Effect<GitRepo, never, Scope.Scope> =>
  Effect.map(temporaryDirectory, (path) => {
    const git = (...args: ReadonlyArray<string>): string =>
      execFileSync("git", args, { cwd: path, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim()
    const commit = (changed: Readonly<Record<string, RepoFile>>): string => {
      for (const [name, file] of Object.entries(changed)) write(Path.join(path, name), file)
      git("add", "--all", "--force")
      git("commit", "--quiet", "--allow-empty", "--message", "change")
      return git("rev-parse", "HEAD")
    }
    git("init", "--quiet", "--initial-branch=main", `--object-format=${format}`)
    commit(files)
    return { path, commit, git }
  })
