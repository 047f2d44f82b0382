#!/bin/bash
# Starts PostgreSQL as the official image does, as far as tests need it: POSTGRES_USER, POSTGRES_PASSWORD (or the name of a
# file with it in POSTGRES_PASSWORD_FILE), POSTGRES_DB and PGDATA say what the first start creates, and arguments go to the
# server. There are no init scripts and no other settings.
set -euo pipefail

: "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}"
export PGDATA

create_cluster() {
  initdb \
    --username="$POSTGRES_USER" \
    --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    --auth-host=scram-sha-256 \
    --auth-local=trust \
    --encoding=UTF8 \
    --locale=C.UTF-8 >/dev/null
  printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
}

# Without a TCP port, so that nobody takes the server for ready before its database is there.
create_database() {
  [ "$POSTGRES_DB" = postgres ] && return
  pg_ctl --wait --silent --options="-c listen_addresses=''" start
  createdb --username="$POSTGRES_USER" --maintenance-db=postgres -- "$POSTGRES_DB"
  pg_ctl --wait --silent --mode=fast stop
}

case "${1-}" in
  '' | -*) set -- postgres "$@" ;;
  postgres) ;;
  *) exec "$@" ;;
esac

# Before the user changes: the file may be root's alone.
if [ -n "${POSTGRES_PASSWORD_FILE-}" ]; then
  POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export POSTGRES_PASSWORD
  unset POSTGRES_PASSWORD_FILE
fi

# PostgreSQL refuses to run as root, and needs a directory for its data and one for its socket.
if [ "$(id -u)" = 0 ]; then
  install -d -m 700 -o postgres -g postgres "$PGDATA"
  install -d -m 775 -o postgres -g postgres /var/run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?must be set}"
  create_cluster
  create_database
fi

shift
exec postgres -c listen_addresses='*' "$@"
