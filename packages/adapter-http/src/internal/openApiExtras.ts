// What the OpenAPI document says besides the declared routes: routes outside the API's groups, the errors that any route
// may answer, when to come back after one, that a log comes as events too, and which operations take an idempotency key.

interface Reference {
  readonly $ref?: string
}

interface Content {
  readonly schema?: Reference & { readonly anyOf?: ReadonlyArray<Reference>; readonly [key: string]: unknown }
}

interface Response {
  readonly description?: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, Content>>
}

interface Operation {
  readonly parameters?: ReadonlyArray<unknown>
  readonly responses: Readonly<Record<string, Response>>
  readonly requestBody?: unknown
}

/** The parts of a document that are completed. */
export interface OpenApiParts {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>
    readonly securitySchemes?: Readonly<Record<string, { readonly scheme?: string }>>
  }
}

const text = { type: "string" }

const problem = {
  type: "object",
  description: "An RFC 9457 problem document; programs act on `code`",
  properties: { type: text, title: text, status: { type: "integer" }, detail: text, code: text, requestId: text },
  required: ["type", "title", "status", "detail", "code", "requestId"]
}

const failure = (description: string): Response => ({
  description,
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } }
})

const retryAfter = {
  "retry-after": { description: "Seconds to wait before the next try", required: true, schema: { type: "integer" } }
}

const withHeaders = ([status, response]: readonly [string, Response]): readonly [string, Response] =>
  status === "429" || status === "503"
    ? [status, { ...response, headers: { ...response.headers, ...retryAfter } }]
    : [status, response]

const withEvents = (response: Response): Response => ({
  ...response,
  content: {
    ...response.content,
    "text/event-stream": { schema: { ...text, description: "The same items: `id` is `seq`, `data` is the item" } }
  }
})

const idempotencyKey = {
  name: "idempotency-key",
  in: "header",
  required: false,
  description:
    "A name for this request, such as a UUID: sent again with the same key and body within 24 hours, it is not carried out again but answered as the first time, with `Idempotency-Replayed: true`",
  schema: { ...text, minLength: 1, maxLength: 255, pattern: "^[ -~]+$" }
}

const isAboutKeys = ({ $ref }: Reference): boolean => $ref?.includes("/Idempotency") === true

/** The errors about keys are declared with the token, which every operation takes; only some take a key. */
const withoutKeys = ([status, response]: readonly [string, Response]): ReadonlyArray<readonly [string, Response]> => {
  const [type, content] = Object.entries(response.content ?? {})[0] ?? []
  const all = content?.schema?.anyOf ?? []
  const others = all.filter((one) => !isAboutKeys(one))
  if (type === undefined || others.length === all.length) return [[status, response]]
  if (others.length === 0) return []
  const description = (response.description ?? "").split(" | ").filter((title) => !title.startsWith("Idempotency"))
  const schema = { ...content?.schema, anyOf: others }
  return [[status, { ...response, description: description.join(" | "), content: { [type]: { schema } } }]]
}

const withKeys = (method: string, operation: Operation): Operation =>
  (method === "post" || method === "patch") && operation.responses["401"] !== undefined
    ? { ...operation, parameters: [...(operation.parameters ?? []), idempotencyKey] }
    : { ...operation, responses: Object.fromEntries(Object.entries(operation.responses).flatMap(withoutKeys)) }

const completedOperation = (path: string, method: string, declared: Operation): Operation => {
  const operation = withKeys(method, declared)
  const { responses, requestBody } = operation
  const { "200": success } = responses
  const { "413": tooLarge } = responses
  const completed = {
    ...responses,
    ...(path.endsWith("/logs") && success !== undefined ? { "200": withEvents(success) } : {}),
    ...(requestBody === undefined
      ? {}
      : {
          "413": tooLarge ?? failure("payload_too_large: a body is at most 1 MiB"),
          "415": failure("unsupported_media_type: a body is application/json")
        }),
    default: failure("Any other error, such as internal_error")
  }
  return { ...operation, responses: Object.fromEntries(Object.entries(completed).map(withHeaders)) }
}

const plain = (operationId: string, summary: string, contentType: string) => ({
  get: {
    operationId,
    summary,
    tags: ["System"],
    security: [],
    parameters: [],
    responses: { "200": { description: "Success", content: { [contentType]: { schema: text } } } }
  }
})

const besides = {
  "/metrics": plain("metrics", "Metrics of the server, for Prometheus", "text/plain"),
  "/openapi.json": plain("openapi", "This document", "application/json"),
  "/docs": plain("docs", "This document, to read", "text/html")
}

/** Schemes in lower case, as registered: readers of the document, its page among them, take `Bearer` for something else. */
const lowerCased = (schemes: NonNullable<OpenApiParts["components"]["securitySchemes"]>) =>
  Object.fromEntries(
    Object.entries(schemes).map(([name, scheme]) => [
      name,
      scheme.scheme === undefined ? scheme : { ...scheme, scheme: scheme.scheme.toLowerCase() }
    ])
  )

/** Completes a document. */
export const completed = ({ paths, components }: OpenApiParts): OpenApiParts => ({
  components: {
    ...components,
    schemas: { ...components.schemas, Problem: problem },
    securitySchemes: lowerCased(components.securitySchemes ?? {})
  },
  paths: {
    ...Object.fromEntries(
      Object.entries(paths).map(([path, methods]) => [
        path,
        Object.fromEntries(
          Object.entries(methods).map(([method, operation]) => [method, completedOperation(path, method, operation)])
        )
      ])
    ),
    ...besides
  }
})
