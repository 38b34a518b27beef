#!/bin/sh
# The entry point of the image `postgres` runs it, as a superuser, in a new volume: makes
# the roles of `payment-service migrate --grants`, of which the owner then does the rest.
set -eu

psql --no-psqlrc --set ON_ERROR_STOP=1 --quiet \
    --username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" <<'SQL'
\getenv owner POSTGRES_OWNER_PASSWORD
\getenv service POSTGRES_SERVICE_PASSWORD
CREATE ROLE payment_owner LOGIN PASSWORD :'owner';
CREATE ROLE payment_service LOGIN PASSWORD :'service';
CREATE ROLE payment_reader NOLOGIN;
ALTER DATABASE :"DBNAME" OWNER TO payment_owner;
SQL
