"""`partner`: the partners of card links, listed, checked, begun."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

import typer

from payment_service.cli.commands.options import (
    ConfigFile,
    Into,
    Json,
    NewName,
    Scenarios,
    Style,
    new_group,
)

group = new_group("The partners whose cards are linked.")


@group.command("list")
def partner_list(as_json: Json = False) -> int:
    """List the partners with what is done about a card."""
    from payment_service.cli import partners

    return partners.list_(as_json=as_json)


@group.command("check")
def partner_check(
    name: Annotated[str, typer.Argument(help="Of the table [partners.NAME].")],
    config: ConfigFile = None,
    only: Scenarios = None,
    as_json: Json = False,
) -> int:
    """Play the conformance scenarios against an adapter; no real partner is asked."""
    from payment_service.cli import partner_conformance

    return partner_conformance.check(
        name, config=config, only=only or [], as_json=as_json
    )


@group.command("new")
def partner_new(
    name: NewName,
    style: Style = "toml",
    into: Into = None,
) -> int:
    """Write a folder to begin with a partner: its table or adapter, and its tests."""
    from payment_service.cli import scaffold

    return scaffold.new_partner(name, style=style, folder=into)


@group.command("scenarios")
def partner_scenarios(as_json: Json = False) -> int:
    """List the scenarios that an adapter has to pass, and what each proves."""
    from payment_service.cli import partner_conformance

    return partner_conformance.list_scenarios(as_json=as_json)
