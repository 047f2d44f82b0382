// The forms in which a secret may turn up in a line: as it is, as base64 of something that it is a part of, in a URL, in
// JSON. A secret of several lines is one of several secrets.

/** The shortest secret that is looked for, in characters: shorter ones stand in every log by chance. */
export const minSecretLength = 6

/** What to look for in single lines so that a secret is found. Those of base64 are those of the standard alphabet. */
export const secretForms = (secret: string): ReadonlyArray<string> => {
  const lines = secret.split(/\r\n|\r|\n/).map((line) => line.trim())
  const forms = [...lines, secret].filter(isLong).flatMap((part) => [part, ...encoded(part)])
  return [...new Set(forms)].filter((form) => isLong(form) && !/[\r\n]/.test(form))
}

const isLong = (text: string): boolean => text.length >= minSecretLength

const encoded = (part: string): ReadonlyArray<string> => [...base64Forms(part), ...urlForms(part), ...jsonForms(part)]

/**
 * The characters of base64 that do not depend on what stands around the secret, wherever in a group of three bytes it
 * begins.
 */
const base64Forms = (part: string): ReadonlyArray<string> => {
  const bytes = new TextEncoder().encode(part)
  return [0, 1, 2].map((before) => {
    const padded = new Uint8Array(before + bytes.length)
    padded.set(bytes, before)
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6)]
    return btoa(Array.from(padded, (byte) => String.fromCharCode(byte)).join("")).slice(from, to)
  })
}

const urlForms = (part: string): ReadonlyArray<string> => {
  const whole = part.toWellFormed()
  const component = encodeURIComponent(whole)
  const strict = component.replaceAll(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  const also = (forms: ReadonlyArray<string>, by: (form: string) => string) => [...forms, ...forms.map(by)]
  const withPlus = also([component, strict, encodeURI(whole)], (form) => form.replaceAll("%20", "+"))
  const withSlash = also(withPlus, (form) => form.replaceAll("%2F", "/"))
  return also(withSlash, (form) => form.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()))
}

const jsonForms = (part: string): ReadonlyArray<string> => {
  const once = inJson(part)
  const forms = [once, asciiOf(once), asciiOf(once, "upper"), once.replaceAll("/", "\\/")]
  return [...forms, ...forms.map(inJson)]
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1)

const asciiOf = (text: string, hex: "lower" | "upper" = "lower"): string =>
  text.replaceAll(/[\u0080-\uffff]/g, (char) => {
    const code = char.charCodeAt(0).toString(16).padStart(4, "0")
    return `\\u${hex === "upper" ? code.toUpperCase() : code}`
  })
