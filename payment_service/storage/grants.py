"""SQL that makes three roles of a database, and gives each what it needs and no more.

The owner has the tables and migrates; who serves works on their rows, and may not touch
what is written once; the reader sees what is no secret. It may be run at any time and
again: what an earlier version gave, or somebody by hand, is taken back.
"""

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import errors, sql

from payment_service.storage.fitness import Unfit
from payment_service.storage.migrate import LOCK
from payment_service.storage.rights import (
    FUNCTIONS,
    VERSION_TABLE,
    Right,
    insertable,
    lacking,
    needed,
    readable,
)
from payment_service.storage.tables import METADATA

NAME_BYTES_MAX: Final = 63
# PostgreSQL takes these for something else, even in quotes.
_TAKEN: Final = frozenset({"public", "none"})


@dataclass(frozen=True, slots=True)
class Roles:
    """Who owns, who serves and who reads the tables, and the schema they are in.

    :raises ValueError: PostgreSQL could have no such names, or two are the same.
    """

    owner: str = "payment_owner"
    service: str = "payment_service"
    reader: str = "payment_reader"
    schema: str = "public"

    def __post_init__(self) -> None:
        for what, name in (*self.named(), ("schema", self.schema)):
            if not 1 <= len(name.encode()) <= NAME_BYTES_MAX or "\0" in name:
                told = f"--{what}: a name has 1 to {NAME_BYTES_MAX} bytes, and no NUL"
                raise ValueError(told)
        for what, name in self.named():
            if name in _TAKEN or name.startswith("pg_"):
                raise ValueError(f"--{what}: {name} is no role's name in PostgreSQL")
        if len({name for _, name in self.named()}) < len(self.named()):
            raise ValueError("--owner, --service, --reader: three roles have 3 names")

    def named(self) -> tuple[tuple[str, str], ...]:
        """Return each role's name with what it is for."""
        return (
            ("owner", self.owner),
            ("service", self.service),
            ("reader", self.reader),
        )


def script(roles: Roles) -> str:
    """Return the SQL, one transaction, for whatever tables there are by then.

    Names are said once, as values; everything after quotes them itself.
    """
    settings = ",\n    ".join(
        f"set_config('payment.{what}', {_literal(name)}, true)"
        for what, name in (*roles.named(), ("schema", roles.schema))
    )
    return f"{_HEAD}SELECT {settings};\n{_ROLES}{_PLACES}{_OWNED}{_tables()}{_END}"


def _tables() -> str:
    """Return the block that gives and takes the rights to each table."""
    lines = ",\n        ".join(f"({', '.join(map(_literal, row))})" for row in _rows())
    called = [r.name for r in needed() if r.privilege == "EXECUTE"]
    drawn = [r.name for r in needed() if r.privilege == "USAGE"]
    return (
        _TABLES.replace("<lines>", lines)
        .replace("<drawn>", _array(drawn))
        .replace("<called>", _array(called))
        .replace("<functions>", _array(FUNCTIONS))
    )


def _rows() -> list[tuple[str, str, str]]:
    """Return of each table its name, who serves' privileges, the reader's columns."""
    shown = {name: readable(table) for name, table in METADATA.tables.items()}
    shown[VERSION_TABLE] = ["version_num"]
    return [
        (
            name,
            ", ".join(_given(r) for r in needed() if r.name == name),
            ", ".join(columns),
        )
        for name, columns in sorted(shown.items())
    ]


def _given(right: Right) -> str:
    """Return a privilege on a table, and on which columns where not on all."""
    if right.privilege != "INSERT":
        return right.privilege
    columns = insertable(METADATA.tables[right.name])
    return f"INSERT ({', '.join(columns)})" if columns else "INSERT"


def _literal(text: str) -> str:
    return sql.Literal(text).as_string(None)


def _array(names: list[str] | tuple[str, ...]) -> str:
    return f"ARRAY[{', '.join(map(_literal, names))}]"


def apply(connection: psycopg.Connection[Any], roles: Roles) -> None:
    """Run the SQL.

    :raises Unfit: nothing was changed; says why.
    """
    try:
        connection.execute(script(roles).encode())
    except (errors.InsufficientPrivilege, errors.RaiseException) as error:
        mend = error.diag.message_hint or (
            "let a superuser run it, or one who may create roles and owns the "
            "database and its tables"
        )
        raise Unfit(
            f"nothing was granted: {error.diag.message_primary}: {mend}"
        ) from None
    if forbidden := lacking(connection, roles.service):
        raise Unfit(f"not all was granted: {'; '.join(forbidden)}")


_HEAD: Final = f"""\
-- The roles of payment-service, and what each may do: read it, then run it with psql as
-- a superuser, or as one who may create roles and owns the database and its tables.
-- It is one transaction; run it before the first `payment-service migrate` or after,
-- and again after each later one. A new role has no password: give it one.
BEGIN;
SET LOCAL lock_timeout = '4s';
SELECT pg_advisory_xact_lock({LOCK});
"""

_ROLES: Final = """
-- 1. The roles. One that is there already is left as it is.
DO $$
DECLARE
    owner name := current_setting('payment.owner');
    other name;
BEGIN
    FOREACH other IN ARRAY ARRAY[owner, current_setting('payment.service')::name,
            current_setting('payment.reader')::name] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = other) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', other);
        END IF;
        IF other <> owner AND pg_has_role(other, owner, 'MEMBER') THEN
            RAISE EXCEPTION 'role % may do all that role % may', other, owner
                USING HINT = 'REVOKE the membership, and let it be no superuser.';
        END IF;
    END LOOP;
    -- Who is no superuser gives away only what he could have himself, until the end.
    IF NOT pg_has_role(owner, 'USAGE') THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', owner);
        PERFORM set_config('payment.joined', 'yes', true);
    END IF;
END $$;
"""

_PLACES: Final = """
-- 2. The database and the schema, which are closed to everybody else.
DO $$
DECLARE
    owner name := current_setting('payment.owner');
    service name := current_setting('payment.service');
    reader name := current_setting('payment.reader');
    place name := current_setting('payment.schema');
    each name;
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC, %I, %I',
        current_database(), service, reader);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I, %I, %I',
        current_database(), owner, service, reader);
    IF to_regnamespace(quote_ident(place)) IS NULL THEN
        EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', place, owner);
    END IF;
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC, %I, %I',
        place, service, reader);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, %I', place, service, reader);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', place, owner);
    FOREACH each IN ARRAY ARRAY[service, reader] LOOP
        -- Whose the database or the schema is, he may drop what is in it.
        IF EXISTS (SELECT FROM pg_database WHERE datname = current_database()
                AND pg_has_role(each, datdba, 'MEMBER'))
            OR EXISTS (SELECT FROM pg_namespace WHERE nspname = place
                AND pg_has_role(each, nspowner, 'MEMBER')) THEN
            RAISE EXCEPTION 'role % owns the database or its schema', each
                USING HINT = format('ALTER DATABASE %I OWNER TO %I, and ALTER SCHEMA '
                    '%I OWNER TO %I', current_database(), owner, place, owner);
        END IF;
    END LOOP;
    -- Another schema than the usual one is found by all three without being told.
    FOREACH each IN ARRAY ARRAY[owner, service, reader] LOOP
        IF place <> 'public' AND NOT EXISTS (
            SELECT FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
            JOIN pg_database d ON d.oid = s.setdatabase
            WHERE r.rolname = each AND d.datname = current_database()
            AND 'search_path=' || quote_ident(place) = ANY(s.setconfig)) THEN
            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %I',
                each, current_database(), place);
        END IF;
    END LOOP;
    PERFORM set_config('search_path', quote_ident(place), true);
END $$;
"""

_OWNED: Final = """
-- 3. What there is becomes the owner's; what he makes later nobody may call unasked.
DO $$
DECLARE
    owner name := current_setting('payment.owner');
    each text;
BEGIN
    FOR each IN
        SELECT format('TABLE %s', c.oid::regclass) FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relowner <> quote_ident(owner)::regrole
        AND (c.oid IN (SELECT to_regclass(name)::oid FROM unnest(<tables>) AS name)
            OR c.oid IN (SELECT inhrelid FROM pg_inherits
                WHERE inhparent = to_regclass('order_task_events')))
        UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
        WHERE p.proowner <> quote_ident(owner)::regrole
        AND p.oid IN (SELECT to_regprocedure(name)::oid
            FROM unnest(<functions>) AS name)
    LOOP
        EXECUTE format('ALTER %s OWNER TO %I', each, owner);
    END LOOP;
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I '
        'REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', owner);
END $$;
""".replace("<tables>", _array([*METADATA.tables, VERSION_TABLE])).replace(
    "<functions>", _array(FUNCTIONS)
)

_TABLES: Final = """
-- 4. What who serves may do with each table, and which columns the reader may see.
DO $$
DECLARE
    service name := current_setting('payment.service');
    reader name := current_setting('payment.reader');
    each record;
    called text;
BEGIN
    FOR each IN SELECT * FROM (VALUES
        <lines>
    ) AS lines(name, privileges, columns) WHERE to_regclass(name) IS NOT NULL LOOP
        EXECUTE format('REVOKE ALL ON TABLE %I FROM PUBLIC, %I, %I',
            each.name, service, reader);
        EXECUTE format('GRANT %s ON TABLE %I TO %I',
            each.privileges, each.name, service);
        EXECUTE format('GRANT SELECT (%s) ON TABLE %I TO %I',
            each.columns, each.name, reader);
    END LOOP;
    FOREACH called IN ARRAY <drawn> LOOP
        IF to_regclass(called) IS NOT NULL THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', called, service);
        END IF;
    END LOOP;
    FOREACH called IN ARRAY <functions> LOOP
        IF to_regprocedure(called) IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, %I, %I',
                called, service, reader);
        END IF;
    END LOOP;
    FOREACH called IN ARRAY <called> LOOP
        IF to_regprocedure(called) IS NOT NULL THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', called, service);
        END IF;
    END LOOP;
END $$;
"""

_END: Final = """
DO $$
BEGIN
    IF current_setting('payment.joined', true) = 'yes' THEN
        EXECUTE format('REVOKE %I FROM CURRENT_USER', current_setting('payment.owner'));
    END IF;
END $$;
COMMIT;
"""
