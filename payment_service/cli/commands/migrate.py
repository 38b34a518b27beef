"""`migrate`: the newest schema, and the SQL of its roles."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from payment_service.cli.commands.options import Json, option


def migrate(  # noqa: PLR0917 - an option is a parameter to typer
    as_sql: Annotated[
        bool,
        option("--sql", "--print", text="Print the SQL for a DBA; change nothing."),
    ] = False,
    grants: Annotated[
        bool, option("--grants", text="Print the SQL of the three roles instead.")
    ] = False,
    apply: Annotated[
        bool, option("--apply", text="With --grants: migrate, then run that SQL.")
    ] = False,
    owner: Annotated[
        str, option("--owner", text="The role that has the tables.", metavar="ROLE")
    ] = "payment_owner",
    service: Annotated[
        str, option("--service", text="The role of `run`.", metavar="ROLE")
    ] = "payment_service",
    reader: Annotated[
        str, option("--reader", text="The role that only reads.", metavar="ROLE")
    ] = "payment_reader",
    schema: Annotated[
        str | None, option("--schema", text="Where the tables are, or will be.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Bring the database to the newest schema; with --grants tell who may what."""
    from payment_service.cli import database_grants, migrate
    from payment_service.cli.errors import Usage

    if (apply and not grants) or (as_sql and grants):
        raise Usage("--apply goes with --grants, and --sql without")
    if grants:
        work = database_grants.grant if apply else database_grants.print_grants
        names = {"owner": owner, "service": service, "reader": reader}
        return work(schema=schema, as_json=as_json, **names)
    if as_sql:
        return migrate.print_sql()
    return migrate.migrate(as_json=as_json)
