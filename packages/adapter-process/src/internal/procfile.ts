// Reads the one line of a Procfile that is run: `web: COMMAND`. Other processes of the file are not run.

/** The largest Procfile, in bytes. */
export const limitBytes = 64 * 1024

const processLine = /^([A-Za-z0-9_-]+)[ \t]*:[ \t]*(\S.*)$/

/** The command of the first `web` line; undefined where there is none. Blank lines and `#` comments are passed over. */
export const webCommand = (text: string): string | undefined =>
  text
    .split(/\r?\n/)
    .map((line) => processLine.exec(line.trim()))
    .find((match) => match?.[1] === "web")?.[2]
