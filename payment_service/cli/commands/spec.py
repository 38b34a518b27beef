"""`spec`: the generated documents and diagrams."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import option

group = new_group("Prints the generated documents and the state diagrams.")


@command(group, "asyncapi", "spec asyncapi", "spec asyncapi --internal")
def spec_asyncapi(
    internal: Annotated[
        bool, option("--internal", text="What the service tells itself, instead.")
    ] = False,
) -> int:
    """Print the AsyncAPI document of what others send and hear on NATS."""
    from payment_service.cli import spec

    return spec.asyncapi(internal=internal)


@command(group, "openapi", "spec openapi > openapi.json")
def spec_openapi() -> int:
    """Print the OpenAPI document of the HTTP API."""
    from payment_service.cli import spec

    return spec.openapi()


@command(group, "core", "spec core")
def spec_core() -> int:
    """Print the OpenAPI document of what core has to offer to this service."""
    from payment_service.cli import spec

    return spec.core()


@command(group, "fsm", "spec fsm")
def spec_fsm() -> int:
    """Print the state diagrams, in Mermaid."""
    from payment_service.cli import spec

    return spec.fsm()


@command(group, "streams", "spec streams")
def spec_streams() -> int:
    """Print the streams, consumers and permissions of these settings, for NATS."""
    from payment_service.cli import spec

    return spec.streams()
