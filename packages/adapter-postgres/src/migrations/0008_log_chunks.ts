// Logs as chunks of lines: a row for many lines costs what one line did. What was stored line by line is packed.

import type { Migration } from "../PostgresMigrations.ts"

/** Chunks of lines, and when the Workload's output in each was said. */
export const logChunks: Migration = {
  id: 8,
  name: "log_chunks",
  statements: [
    // `packed` is what `internal/logChunks.ts` says. It is small already: to compress it again would be work for nothing.
    `create table log_chunks (
  log text not null,
  first bigint not null check (first >= 1),
  last bigint not null,
  at timestamptz not null,
  output_from timestamptz,
  output_until timestamptz,
  packed bytea not null,
  primary key (log, first),
  constraint log_chunks_range check (last >= first),
  constraint log_chunks_output check ((output_from is null) = (output_until is null))
)`,
    `alter table log_chunks alter column packed set storage external`,
    `insert into log_chunks (log, first, last, at, output_from, output_until, packed)
select log, min(seq), max(seq), max(at), min(at) filter (where stream in ('stdout', 'stderr')),
  max(at) filter (where stream in ('stdout', 'stderr')),
  convert_to(json_agg(json_build_array(stream, floor(extract(epoch from at) * 1000)::bigint, json_build_array(line)) order by seq)::text, 'UTF8')
from (select log, seq, date_trunc('milliseconds', at) as at, stream, line from log_lines) lines
group by log, (seq - 1) / 64`,
    `drop table log_lines`
  ]
}
