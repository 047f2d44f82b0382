// Text as an answer that comes bit by bit.
import { Duration, Stream } from "effect"
import { HttpServerResponse } from "effect/http"

/** Comments every 15 seconds, for a stream of server-sent events that may be quiet for longer than what is on the way allows. */
export const pings: Stream.Stream<string> = Stream.drop(
  Stream.map(Stream.tick(Duration.seconds(15)), () => ": ping\n\n"),
  1
)

/** Written first, it sends the head of the answer, which would else wait for the first text. */
const noBytes = new Uint8Array()

/** Answers text as it comes; nobody on the way keeps it back. */
export const streamed = <E>(
  text: Stream.Stream<string, E>,
  contentType: string
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(Stream.concat(Stream.make(noBytes), Stream.encodeText(text)), {
    contentType,
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
  })
