"""`provider`: listed, paused, checked, begun."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    ConfigFile,
    Into,
    Json,
    NewName,
    ProviderName,
    Scenarios,
    Style,
    Wide,
    option,
)

group = new_group("The configured providers.")


@command(group, "list", "provider list")
def provider_list(wide: Wide = False, as_json: Json = False) -> int:
    """List the providers with their plans; with a database also how they do."""
    from payment_service.cli import providers

    return providers.list_(wide=wide, as_json=as_json)


@command(group, "pause", 'provider pause acme --reason "they are down" --for 2h')
def provider_pause(
    name: ProviderName,
    reason: Annotated[str, option("--reason", text="Why it gets no new work.")],
    lasting: Annotated[
        str | None,
        option(
            "--for", text="A duration like 2h; else until resumed.", metavar="DURATION"
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Give a provider no new work; what it has already taken goes on."""
    from payment_service.cli import provider_control

    return provider_control.pause(name, reason=reason, lasting=lasting, as_json=as_json)


@command(group, "resume", "provider resume acme")
def provider_resume(
    name: ProviderName,
    reason: Annotated[str | None, option("--reason", text="Why it may again.")] = None,
    as_json: Json = False,
) -> int:
    """Give a provider new work again."""
    from payment_service.cli import provider_control

    return provider_control.resume(name, reason=reason, as_json=as_json)


@command(group, "history", "provider history acme")
def provider_history(
    name: ProviderName, wide: Wide = False, as_json: Json = False
) -> int:
    """Show who paused and resumed a provider, and why."""
    from payment_service.cli import provider_control

    return provider_control.history(name, wide=wide, as_json=as_json)


@command(group, "check", "provider check acme --config acme/payment.toml")
def provider_check(
    name: ProviderName,
    config: ConfigFile = None,
    only: Scenarios = None,
    as_json: Json = False,
) -> int:
    """Play the conformance scenarios against an adapter; no real provider is asked."""
    from payment_service.cli import conformance

    return conformance.check(name, config=config, only=only or [], as_json=as_json)


@command(group, "new", "provider new acme", "provider new acme --style python")
def provider_new(
    name: NewName,
    style: Style = "toml",
    into: Into = None,
) -> int:
    """Write a folder to begin with a provider: its table or adapter, and its tests."""
    from payment_service.cli import scaffold

    return scaffold.new(name, style=style, folder=into)


@command(group, "scenarios", "provider scenarios")
def provider_scenarios(as_json: Json = False) -> int:
    """List the conformance scenarios, and what each proves."""
    from payment_service.cli import conformance

    return conformance.list_scenarios(as_json=as_json)
