// What the OpenAPI document says besides the declared routes: routes outside the API's groups, the errors that any route
// may answer, when to come back after one, and that a log comes as events too.

interface Response {
  readonly description?: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, unknown>>
}

interface Operation {
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

const completedOperation = (path: string, operation: Operation): Operation => {
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
          Object.entries(methods).map(([method, operation]) => [method, completedOperation(path, operation)])
        )
      ])
    ),
    ...besides
  }
})
