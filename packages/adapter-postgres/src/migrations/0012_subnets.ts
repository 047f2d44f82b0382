// Who has which block of addresses, and which blocks can be given. That no address has two owners is the table's own rule,
// whatever pools there are and whatever the code does.

import type { Migration } from "../PostgresMigrations.ts"

/** Subnets that somebody has, those that nobody has, and how far the ranges of pools are cut into blocks. */
export const subnets: Migration = {
  id: 12,
  name: "subnets",
  statements: [
    `create sequence subnets_fence_seq`,
    `create table subnets (
  pool text not null check (pool ~ '^[a-z0-9_-]{1,64}$'),
  owner text not null check (owner ~ '^[!-~]{1,200}$'),
  net cidr not null check (family(net) = 4),
  fence bigint not null default nextval('subnets_fence_seq') check (fence >= 1),
  lease_until timestamptz not null,
  clearing boolean not null default false,
  primary key (pool, owner),
  constraint subnets_disjoint exclude using gist (net inet_ops with &&)
) with (fillfactor = 80)`,
    `create table free_subnets (
  prefix smallint not null,
  net cidr not null check (family(net) = 4),
  reusable_at timestamptz,
  primary key (prefix, net),
  constraint free_subnets_prefix check (masklen(net) = prefix)
)`,
    `create index free_subnets_rest on free_subnets using gist (net inet_ops) where reusable_at is not null`,
    `create table subnet_ranges (
  range cidr not null,
  prefix smallint not null,
  cut bigint not null default 0,
  primary key (range, prefix),
  constraint subnet_ranges_prefix check (family(range) = 4 and prefix between masklen(range) and 32),
  constraint subnet_ranges_cut check (cut between 0 and 2 ^ (prefix - masklen(range)))
)`
  ]
}
