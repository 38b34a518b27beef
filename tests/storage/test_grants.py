"""Three roles of one database: what each can do there, and what it cannot."""

import secrets
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors, sql

from payment_service.storage import migrate
from payment_service.storage.fitness import Unfit
from payment_service.storage.grants import Roles, apply, script
from payment_service.storage.rights import (
    APPENDED,
    FUNCTIONS,
    beyond_need,
    lacking,
    needed,
    readable,
)
from payment_service.storage.tables import METADATA, ORDER_TASK_EVENTS

ODD = ("Ö wner", "a\"b'c", "$$; DROP TABLE outbox; --\\:x %s {}")
OUTSIDE = (
    "CREATE TABLE mine ()",
    "CREATE TEMPORARY TABLE mine ()",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE DATABASE mine",
    "CREATE ROLE mine",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "SELECT pg_read_file('PG_VERSION')",
    "SET session_replication_role = replica",
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {owner}",
    "GRANT {owner} TO {me}",
    "ALTER ROLE {me} SUPERUSER",
    "ALTER ROLE {owner} PASSWORD 'x'",
    "ALTER DATABASE {database} OWNER TO {me}",
    "ALTER SCHEMA public OWNER TO {me}",
    "SELECT make_trail_partition('2030-01-01')",
    "ALTER FUNCTION make_trail_partitions() SECURITY INVOKER",
    "DROP FUNCTION make_trail_partitions()",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS int LANGUAGE sql AS ''",
)
ON_A_TABLE = (
    "TRUNCATE {}",
    "DROP TABLE {}",
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "ALTER TABLE {} ADD COLUMN more text",
    "ALTER TABLE {} OWNER TO {me}",
    "CREATE TRIGGER mine BEFORE INSERT ON {} EXECUTE FUNCTION refuse_change()",
    "CREATE RULE mine AS ON INSERT TO {} DO INSTEAD NOTHING",
    "CREATE INDEX ON {} ((1))",
    "ALTER TABLE {} ENABLE ROW LEVEL SECURITY",
)
TABLES = (*METADATA.tables, "alembic_version", "order_task_events_rest")


def run(url, statement, roles, **more):
    """Run a statement whose names are filled in."""
    user, database = psycopg.conninfo.conninfo_to_dict(url)["user"], url.split("/")[-1]
    known = {"owner": roles.owner, "me": user, "database": database, **more}
    names = {key: sql.Identifier(name) for key, name in known.items()}
    table = names.pop("table", sql.SQL(""))
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(sql.SQL(statement).format(table, **names)).fetchall()


def refused(url, statement, roles, **more):
    with pytest.raises(errors.InsufficientPrivilege):
        run(url, statement, roles, **more)


@contextmanager
def removed(url, *names):
    """Remove roles at the end, and all that is theirs in the database."""
    try:
        yield
    finally:
        with psycopg.connect(url, autocommit=True) as superuser:
            for role in map(sql.Identifier, names):
                back = "REASSIGN OWNED BY {} TO CURRENT_USER"
                for statement in (back, "DROP OWNED BY {}", "DROP ROLE {}"):
                    superuser.execute(sql.SQL(statement).format(role))


def others(**more):
    mark = secrets.token_hex(6)
    return Roles(f"o_{mark}", f"s_{mark}", f"r_{mark}", **more)


def names_of(roles):
    return [name for _, name in roles.named()]


@pytest.mark.parametrize("role", ["service", "reader"])
@pytest.mark.parametrize("statement", OUTSIDE)
def test_who_serves_or_reads_can_do_nothing_beside_the_rows(
    granted, roles, role, statement
):
    refused(getattr(granted, role), statement, roles)


@pytest.mark.parametrize("role", ["service", "reader"])
def test_who_serves_or_reads_changes_no_table(granted, roles, role):
    for table in TABLES:
        for statement in ON_A_TABLE:
            refused(getattr(granted, role), statement, roles, table=table)


@pytest.mark.attack("database", "The service's own role changes no line of a trail")
@pytest.mark.parametrize("table", [*sorted(APPENDED), "order_task_events_rest"])
def test_who_serves_changes_no_line_of_a_trail(granted, roles, table):
    column = next(iter(METADATA.tables.get(table, ORDER_TASK_EVENTS).columns)).name
    for statement in ("DELETE FROM {}", "UPDATE {} SET {column} = DEFAULT"):
        refused(granted.service, statement, roles, table=table, column=column)


@pytest.mark.attack(
    "database", "The service's own role deletes no order and owns no table"
)
def test_who_serves_deletes_no_order_and_moves_no_schema(granted, roles):
    gone = {"outbox", "parked", "provider_health", "webhook_inbox"}
    kept = METADATA.tables.keys() - gone
    for table in kept:
        refused(granted.service, "DELETE FROM {}", roles, table=table)
    refused(granted.service, "UPDATE alembic_version SET version_num = '9'", roles)


@pytest.mark.attack(
    "database", "The service's own role puts no line where no anchor looks"
)
def test_who_serves_numbers_no_line(granted, roles, connection):
    far = sql.SQL("""
INSERT INTO order_task_events (entity_id, version, {number} queue_id, target, trigger,
    actor, at, detail, key_id, hash)
{over} VALUES (gen_random_uuid(), 1, {value} gen_random_uuid(), 'x', 'x', 'x', now(),
    '{{}}', 'k', '')
""")
    nothing = sql.SQL("")
    own = far.format(number=nothing, over=nothing, value=nothing)
    chosen = far.format(
        number=sql.SQL("seq,"),
        over=sql.SQL("OVERRIDING SYSTEM VALUE"),
        value=sql.SQL("9000000000000000000,"),
    )
    with psycopg.connect(granted.service, autocommit=True) as service:
        service.execute(own)
        with pytest.raises(errors.InsufficientPrivilege):
            service.execute(chosen)
        assert beyond_need(service) == []
    by_hand = sql.SQL("GRANT INSERT ON order_task_events TO {}")
    connection.execute(by_hand.format(sql.Identifier(roles.service)))
    with psycopg.connect(granted.service) as service:
        told = ["may choose the numbers of order_task_events"]
        assert beyond_need(service) == told


def test_who_serves_has_what_it_needs_and_no_more(granted):
    for url in (granted.service, granted.reader):
        with psycopg.connect(url) as connection:
            assert beyond_need(connection) == []
            assert (lacking(connection) == []) is (url == granted.service)


def test_the_owner_and_a_superuser_may_more_and_it_is_said(granted, database_url):
    with psycopg.connect(granted.owner) as owner:
        (tables, makes) = beyond_need(owner)
    with psycopg.connect(database_url) as superuser:
        assert beyond_need(superuser) == ["is a superuser"]

    assert tables.startswith("owns alembic_version, ")
    assert {"cases", "order_tasks"} <= set(tables.removeprefix("owns ").split(", "))
    assert makes == "may make tables in the schema"


@pytest.mark.attack("database", "The read-only role writes nothing and sees no secret")
def test_the_reader_writes_nothing_and_sees_no_secret(granted, roles):
    for name, table in METADATA.tables.items():
        for statement in ("DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES"):
            refused(granted.reader, statement, roles, table=name)
        shown = readable(table)
        for column in table.columns:
            look = "SELECT {column} FROM {}"
            more = {"table": name, "column": column.name}
            if column.name in shown:
                run(granted.reader, look, roles, **more)
            else:
                refused(granted.reader, look, roles, **more)


def test_what_is_secret_is_not_shown():
    hidden = {
        f"{name}.{column.name}"
        for name, table in METADATA.tables.items()
        for column in table.columns
        if column.name not in readable(table)
    }

    assert hidden >= {
        "api_keys.sha256",
        "order_queues.request",
        "outbox.body",
        "outbox.bundle",
        "dead_letters.body",
        "dead_letters.headers",
        "webhook_inbox.detail",
    }


@pytest.mark.usefixtures("granted")
def test_nobody_else_may_connect(database_url, connection):
    name = f"stranger_{secrets.token_hex(6)}"
    made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'")
    connection.execute(made.format(sql.Identifier(name)))
    with removed(database_url, name):
        url = f"postgresql://{name}:x@{database_url.rpartition('@')[2]}"
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(url)


def test_the_trail_and_the_functions_are_those_of_the_database(connection):
    guarded = connection.execute(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger "
        "WHERE tgname LIKE '%append_only' AND tgparentid = 0"
    ).fetchall()
    functions = connection.execute(
        "SELECT oid::regprocedure::text FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace"
    ).fetchall()
    for_all = connection.execute(
        "SELECT oid::regprocedure FROM pg_proc, aclexplode(coalesce(proacl, "
        "acldefault('f', proowner))) WHERE pronamespace = 'public'::regnamespace "
        "AND grantee = 0"
    ).fetchall()

    assert {name for (name,) in guarded} == APPENDED
    assert {name for (name,) in functions} == {*FUNCTIONS}
    assert for_all == []


def test_who_serves_makes_partitions_wherever_it_looks_for_tables(granted, connection):
    with psycopg.connect(granted.service) as service:
        service.execute("SET search_path = ''")
        service.execute("SELECT public.make_trail_partitions()")

    made = connection.execute(
        "SELECT c.relowner = p.relowner, c.relnamespace = p.relnamespace "
        "FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
        "JOIN pg_class p ON p.oid = inhparent "
        "WHERE inhparent = 'order_task_events'::regclass"
    ).fetchall()
    assert made == [(True, True)] * 4


def test_what_was_given_by_hand_is_taken_back(granted, roles, connection):
    service, reader = sql.Identifier(roles.service), sql.Identifier(roles.reader)
    by_hand = (
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {}, {}, PUBLIC",
        "GRANT ALL ON SCHEMA public TO {}, {}, PUBLIC",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {}, {}, PUBLIC",
    )
    for statement in by_hand:
        connection.execute(sql.SQL(statement).format(service, reader))
    with psycopg.connect(granted.service) as served:
        assert beyond_need(served)

    apply(connection, roles)

    for url in (granted.service, granted.reader):
        with psycopg.connect(url) as again:
            assert beyond_need(again) == []
    refused(granted.reader, "SELECT request FROM order_queues", roles)


def test_the_owner_gives_again_what_is_his_to_give(granted, roles):
    with psycopg.connect(granted.owner, autocommit=True) as owner:
        owner.execute("DROP TABLE provider_health")
        owner.execute("CREATE TABLE provider_health (LIKE outbox)")
        for name in readable(METADATA.tables["provider_health"]):
            add = "ALTER TABLE provider_health ADD COLUMN IF NOT EXISTS {} text"
            owner.execute(sql.SQL(add).format(sql.Identifier(name)))
        with psycopg.connect(granted.service) as service:
            assert lacking(service)

        apply(owner, roles)

    with psycopg.connect(granted.service) as service:
        assert lacking(service) == []


def test_odd_names_are_quoted_and_another_schema_is_found(empty_database_url):
    mark = secrets.token_hex(4)
    owner, service, reader = (f"{mark}{name}" for name in ODD)
    roles = Roles(owner, service, reader, schema=f"{mark} \"x' $$ %s")
    names = names_of(roles)
    known = psycopg.conninfo.conninfo_to_dict(empty_database_url)
    owner, service, reader = (
        psycopg.conninfo.make_conninfo(**{**known, "user": name, "password": "x"})
        for name in names
    )
    with psycopg.connect(empty_database_url, autocommit=True) as superuser:
        apply(superuser, roles)
        with removed(empty_database_url, *names):
            for role in map(sql.Identifier, names):
                password = sql.SQL("ALTER ROLE {} PASSWORD 'x'")
                superuser.execute(password.format(role))
            migrate.upgrade(owner)
            apply(superuser, roles)
            apply(superuser, roles)
            _are_well(service, reader)


def _are_well(service, reader):
    for url in (service, reader):
        with psycopg.connect(url) as connection:
            assert beyond_need(connection) == []
            connection.execute("SELECT version FROM order_tasks")
    with psycopg.connect(service) as connection:
        assert lacking(connection) == []
        connection.execute("SELECT make_trail_partitions()")


@pytest.mark.attack(
    "database", "A role that could become the owner is not granted the service's rights"
)
@pytest.mark.parametrize(
    "how",
    [
        "ALTER ROLE {service} SUPERUSER",
        "GRANT {owner} TO {service}",
        "ALTER DATABASE {database} OWNER TO {service}",
        "ALTER SCHEMA public OWNER TO {service}",
    ],
)
def test_who_could_become_the_owner_is_given_nothing(database_url, connection, how):
    roles = others()
    names = {what: sql.Identifier(name) for what, name in roles.named()}
    for name in (names["owner"], names["service"]):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    with removed(database_url, roles.owner, roles.service):
        database = sql.Identifier(database_url.rpartition("/")[2])
        connection.execute(sql.SQL(how).format(**names, database=database))

        with pytest.raises(Unfit, match=f"nothing was granted: role {roles.service}"):
            apply(connection, roles)

        connection.execute("ROLLBACK")
        owned = "SELECT FROM pg_class WHERE relowner = %s::regrole"
        assert connection.execute(owned, [roles.owner]).fetchall() == []


@pytest.mark.parametrize(
    "names",
    [
        {"owner": "public"},
        {"service": "none"},
        {"reader": "pg_monitor"},
        {"owner": ""},
        {"owner": "ä" * 32},
        {"owner": "a\0b"},
        {"schema": ""},
        {"owner": "one", "service": "one"},
    ],
)
def test_names_that_mean_something_else_are_refused(names):
    with pytest.raises(ValueError, match="--"):
        Roles(**names)


@pytest.mark.usefixtures("granted")
def test_databases_of_one_server_have_roles_of_their_own(empty_database_url, roles):
    theirs = others()
    migrate.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as superuser:
        apply(superuser, theirs)
    rest = empty_database_url.rpartition("@")[2]
    with removed(empty_database_url, *names_of(theirs)):
        for name in names_of(roles):
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(f"postgresql://{name}:{name}@{rest}")


def test_who_makes_roles_and_owns_the_database_needs_be_no_superuser(
    empty_database_url,
):
    admin = f"admin_{secrets.token_hex(6)}"
    url = f"postgresql://{admin}:x@{empty_database_url.rpartition('@')[2]}"
    database = sql.Identifier(empty_database_url.rpartition("/")[2])
    roles, role = others(), sql.Identifier(admin)
    with psycopg.connect(empty_database_url, autocommit=True) as superuser:
        made = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'x'")
        superuser.execute(made.format(role))
        give = sql.SQL("ALTER DATABASE {} OWNER TO {}")
        superuser.execute(give.format(database, role))
    with removed(empty_database_url, *names_of(roles), admin):
        migrate.upgrade(url)
        with psycopg.connect(url, autocommit=True) as connection:
            apply(connection, roles)
            apply(connection, roles)
            joined = "SELECT pg_has_role(%s, 'USAGE')"
            found = connection.execute(joined, [roles.owner]).fetchall()
        with psycopg.connect(empty_database_url) as superuser:
            assert lacking(superuser, roles.service) == []
    assert found == [(False,)]


def test_what_may_not_be_given_is_said_and_nothing_is_changed(granted):
    with (
        psycopg.connect(granted.owner, autocommit=True) as owner,
        pytest.raises(Unfit, match="nothing was granted: permission denied"),
    ):
        apply(owner, others())


def test_the_sql_names_each_table_with_what_is_asked_for():
    text = script(Roles())

    for name in METADATA.tables:
        privileges = ", ".join(r.privilege for r in needed() if r.name == name)
        if name == "order_task_events":
            every = [c.name for c in ORDER_TASK_EVENTS.columns if c.name != "seq"]
            privileges = privileges.replace("INSERT", f"INSERT ({', '.join(every)})")
        assert f"('{name}', '{privileges}', " in text
