"""`partner`: the partners of card links, listed, checked, begun."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    ConfigFile,
    Into,
    Json,
    NewName,
    PartnerName,
    Scenarios,
    Style,
    Wide,
)

group = new_group("The partners whose cards are linked.")


@command(group, "list", "partner list")
def partner_list(wide: Wide = False, as_json: Json = False) -> int:
    """List the partners with what is done about a card."""
    from payment_service.cli import partners

    return partners.list_(wide=wide, as_json=as_json)


@command(group, "check", "partner check northbank")
def partner_check(
    name: PartnerName,
    config: ConfigFile = None,
    only: Scenarios = None,
    as_json: Json = False,
) -> int:
    """Play the conformance scenarios against an adapter; no real partner is asked."""
    from payment_service.cli import partner_conformance

    return partner_conformance.check(
        name, config=config, only=only or [], as_json=as_json
    )


@command(group, "new", "partner new northbank")
def partner_new(
    name: NewName,
    style: Style = "toml",
    into: Into = None,
) -> int:
    """Write a folder to begin with a partner: its table or adapter, and its tests."""
    from payment_service.cli import scaffold

    return scaffold.new_partner(name, style=style, folder=into)


@command(group, "scenarios", "partner scenarios")
def partner_scenarios(as_json: Json = False) -> int:
    """List the scenarios that an adapter has to pass, and what each proves."""
    from payment_service.cli import partner_conformance

    return partner_conformance.list_scenarios(as_json=as_json)
