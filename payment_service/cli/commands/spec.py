"""`spec`: the generated documents and diagrams."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from payment_service.cli.commands.options import new_group, option

group = new_group("Prints the generated documents and the state diagrams.")


@group.command("asyncapi")
def spec_asyncapi(
    internal: Annotated[
        bool, option("--internal", text="What the service tells itself, instead.")
    ] = False,
) -> int:
    """Print the AsyncAPI document of what others send and hear on NATS."""
    from payment_service.cli import spec

    return spec.asyncapi(internal=internal)


@group.command("openapi")
def spec_openapi() -> int:
    """Print the OpenAPI document of the HTTP API."""
    from payment_service.cli import spec

    return spec.openapi()


@group.command("core")
def spec_core() -> int:
    """Print the OpenAPI document of what core has to offer to this service."""
    from payment_service.cli import spec

    return spec.core()


@group.command("fsm")
def spec_fsm() -> int:
    """Print the state diagrams, in Mermaid."""
    from payment_service.cli import spec

    return spec.fsm()


@group.command("streams")
def spec_streams() -> int:
    """Print the streams, consumers and permissions of these settings, for NATS."""
    from payment_service.cli import spec

    return spec.streams()
