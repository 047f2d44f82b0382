// Which part of a list a request asks for.
import { Cursor, type PageRequest } from "@lockkeeper/core/domain/Page"

/** The page that a query names: 20 items from the beginning unless it says otherwise. */
export const pageOf = ({ cursor, limit = 20 }: { readonly cursor?: string; readonly limit?: number }): PageRequest => ({
  limit,
  cursor: cursor === undefined ? undefined : Cursor.make(cursor)
})
