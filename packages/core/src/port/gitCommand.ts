// What is said to Git, as data: arguments and environment of every command, for any SourceFetcher that runs `git`, on this
// machine or in a container. Nothing here runs anything.

/**
 * Where the files for one SSH connection are, as Git will see them. `key` is a private key's file, or an `agent` whose
 * socket the environment names; without one, no key is offered.
 */
export interface GitSshFiles {
  readonly knownHosts: string
  readonly key: string | { readonly agent: string } | undefined
}

/** The places of one fetch. All are outside of one another. */
export interface GitPlaces {
  readonly repository: string
  readonly tree: string
  readonly home: string
}

const settings = [
  "core.hooksPath=/dev/null",
  "core.attributesFile=/dev/null",
  "core.fsmonitor=false",
  "core.autocrlf=false",
  "core.askPass=",
  "credential.helper=",
  "http.followRedirects=false",
  "http.lowSpeedLimit=1",
  "http.lowSpeedTime=60",
  "gc.auto=0",
  "maintenance.auto=false",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  "advice.detachedHead=false"
].flatMap((setting) => ["-c", setting])

const inRepository = ({ repository }: GitPlaces): ReadonlyArray<string> => [...settings, `--git-dir=${repository}`]

/** The name that the fetched commit gets. */
export const fetchedRef = "refs/lockkeeper/source"

/** Makes an empty repository without template, for commits of that id length. */
export const init = (places: GitPlaces, format: "sha1" | "sha256"): ReadonlyArray<string> => [
  ...settings,
  "init",
  "--quiet",
  "--bare",
  "--template=",
  `--object-format=${format}`,
  "--",
  places.repository
]

/** Fetches what a ref name or a commit id stands for at the remote, at a depth of one or with all history. */
export const fetch = (
  places: GitPlaces,
  url: string,
  refspecs: ReadonlyArray<string>,
  depth: "one" | "all"
): ReadonlyArray<string> => [
  ...inRepository(places),
  "fetch",
  "--quiet",
  "--no-tags",
  "--no-recurse-submodules",
  "--no-write-fetch-head",
  ...(depth === "one" ? ["--depth=1"] : []),
  "--",
  url,
  ...refspecs
]

/** Prints the commit that a name stands for. */
export const resolve = (places: GitPlaces, name: string): ReadonlyArray<string> => [
  ...inRepository(places),
  "rev-parse",
  "--verify",
  "--quiet",
  "--end-of-options",
  `${name}^{commit}`
]

/** Writes the files of a commit into the tree. */
export const checkout = (places: GitPlaces, commit: string): ReadonlyArray<string> => [
  ...inRepository(places),
  "-c",
  "core.bare=false",
  `--work-tree=${places.tree}`,
  "checkout",
  "--quiet",
  "--force",
  "--detach",
  commit
]

const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
const sshPath = (path: string): string => `"${path.replaceAll(/["\\]/g, "\\$&").replaceAll("%", "%%")}"`

/** The `ssh` that Git may use: one key, one file of pinned hosts, no configuration, no agent, no questions. */
const sshCommand = ({ key, knownHosts }: GitSshFiles): string => {
  const identity =
    typeof key === "object"
      ? ["IdentitiesOnly=no", `IdentityAgent=${sshPath(key.agent)}`, "IdentityFile=none"]
      : ["IdentitiesOnly=yes", "IdentityAgent=none", `IdentityFile=${key === undefined ? "none" : sshPath(key)}`]
  const options = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    `UserKnownHostsFile=${sshPath(knownHosts)}`,
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
    "CheckHostIP=no",
    ...identity,
    "PreferredAuthentications=publickey",
    "PasswordAuthentication=no",
    "KbdInteractiveAuthentication=no",
    "ForwardAgent=no",
    "ClearAllForwardings=yes",
    "ControlMaster=no",
    "ControlPath=none",
    "ProxyCommand=none",
    "PermitLocalCommand=no",
    "ConnectTimeout=20",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR"
  ]
  return ["ssh", "-F", "/dev/null", ...options.flatMap((option) => ["-o", option])].map(shellWord).join(" ")
}

/** The whole environment of Git. Only `path` is taken over from this process. */
export const environment = (
  places: GitPlaces,
  path: string,
  files: GitSshFiles | undefined
): Readonly<Record<string, string>> => ({
  PATH: path,
  HOME: places.home,
  TMPDIR: places.home,
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ALLOW_PROTOCOL: "ssh:https:http",
  GIT_PROTOCOL_FROM_USER: "0",
  GIT_SSH_VARIANT: "ssh",
  GIT_SSH_COMMAND: files === undefined ? "false" : sshCommand(files)
})
