"""`key`: who may call the API."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated, Literal, TypeAlias

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    Cursor,
    Json,
    KeyName,
    Limit,
    Reason,
    Why,
    Wide,
    option,
)

Role: TypeAlias = Literal["viewer", "support", "admin", "upstream"]

group = new_group("Keys of the API: who may call it, as whom, and until when.")


@command(
    group,
    "new",
    "key new anna --role admin",
    "key new shop --role upstream --merchants m-1+m-2",
)
def key_new(  # noqa: PLR0917 - an option is a parameter to typer
    name: KeyName,
    role: Annotated[Role, option("--role", text="viewer, support, admin or upstream.")],
    merchants: Annotated[
        list[str] | None,
        option("--merchants", text="Of upstream: whose orders; joined by +."),
    ] = None,
    person: Annotated[
        str | None, option("--person", text="Who holds it, where they have others.")
    ] = None,
    expires: Annotated[
        str | None,
        option("--expires", text="The last day it is taken (UTC).", metavar="DATE"),
    ] = None,
    sha256: Annotated[
        str | None,
        option(
            "--sha256", text="Of a key that its holder made himself.", metavar="HEX"
        ),
    ] = None,
    reason: Why = None,
    as_json: Json = False,
) -> int:
    """Make a key and print it once; the first admin's in the database itself."""
    from payment_service.cli import keys

    return keys.new(
        name,
        role=role,
        merchants=merchants or [],
        person=person,
        expires=expires,
        sha256=sha256,
        reason=reason,
        as_json=as_json,
    )


@command(group, "list", "key list")
def key_list(
    limit: Limit = 50, cursor: Cursor = None, wide: Wide = False, as_json: Json = False
) -> int:
    """List the keys with who made them and when they were used; no key itself."""
    from payment_service.cli import keys

    return keys.list_(limit=limit, cursor=cursor, wide=wide, as_json=as_json)


@command(group, "agree", "key agree bert")
def key_agree(name: KeyName, reason: Why = None, as_json: Json = False) -> int:
    """Agree, as a second admin, to a key that waits."""
    from payment_service.cli import keys

    return keys.agree(name, reason=reason, as_json=as_json)


@command(group, "revoke", 'key revoke bert --reason "has left"')
def key_revoke(name: KeyName, reason: Reason, as_json: Json = False) -> int:
    """End a key for good: within seconds it is taken nowhere."""
    from payment_service.cli import keys

    return keys.revoke(name, reason=reason, as_json=as_json)
