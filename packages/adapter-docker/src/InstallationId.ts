// Which Lockkeeper the things on an engine belong to.

import { Schema } from "effect"

/**
 * One word for all replicas on one database: up to 32 lower-case letters, digits and dashes. It is part of the names of
 * networks and images, and in the labels of all that is made. Lockkeepers that share an engine differ in it.
 */
export const InstallationId = Schema.String.check(Schema.isPattern(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/)).pipe(
  Schema.brand("InstallationId")
)

/** The type of {@link InstallationId}. */
export type InstallationId = typeof InstallationId.Type
