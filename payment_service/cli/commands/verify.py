"""`verify`: every money invariant over the whole database."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from payment_service.cli.commands.options import Json, option


def verify(
    core: Annotated[
        bool, option("--core", text="Compare with core's ledger too.")
    ] = False,
    providers: Annotated[
        bool, option("--providers", text="Compare with the providers' statements too.")
    ] = False,
    anchors: Annotated[
        list[str] | None,
        option(
            "--anchor",
            text="Compare with anchors that went out: a file, - or nats; repeatable.",
            metavar="PLACE",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Check every money invariant over the whole database; name each offender."""
    from payment_service.cli.verify import verify as work

    return work(core=core, providers=providers, anchors=anchors or [], as_json=as_json)
