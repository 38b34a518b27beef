"""Prints the documents that are generated from the code, always the same."""

from collections.abc import Sequence
from typing import Any, NoReturn

from payment_service.cli.printing import print_json, print_text


def asyncapi(*, internal: bool = False) -> int:
    """Print the AsyncAPI document of what others send and hear, or of our own."""
    from payment_service.wire import asyncapi as wire  # noqa: PLC0415 - one of five

    print_json(wire.internal_asyncapi() if internal else wire.asyncapi())
    return 0


def openapi() -> int:
    """Print the OpenAPI document."""
    from payment_service.api.app import create_app  # noqa: PLC0415 - one of five
    from payment_service.api.deps import ApiDeps  # noqa: PLC0415 - as above
    from payment_service.api.keyring import Keyring  # noqa: PLC0415 - as above

    nothing: Any = _Nothing()
    deps = ApiDeps(
        keys=Keyring((), nothing),
        clock=nothing,
        providers=nothing,
        reads=nothing,
        waiters=nothing,
        unlink=nothing,
        submit=nothing,
        operations=nothing,
        store_webhooks=nothing,
        provider_statuses=nothing,
        ready=nothing,
        metrics=nothing,
        people=nothing,
    )
    print_json(create_app(deps).openapi())
    return 0


def core() -> int:
    """Print the OpenAPI document of what core has to offer."""
    from payment_service.wire.core_api import core_api  # noqa: PLC0415 - one of five

    print_json(core_api())
    return 0


def fsm() -> int:
    """Print the state diagrams."""
    from fsm.engine.diagram import mermaid  # noqa: PLC0415 - one of five
    from fsm.flows import RULES  # noqa: PLC0415 - as above

    print_text(mermaid(RULES.lifecycles.values()))
    return 0


def streams() -> int:
    """Print what an operator makes where the service's user may not."""
    from payment_service.bus.blueprint import blueprint  # noqa: PLC0415 - one of five
    from payment_service.cli.context import read_settings  # noqa: PLC0415 - as above
    from payment_service.wiring.nats import (  # noqa: PLC0415 - as above
        access_of,
        names_of,
        topology_of,
    )

    settings = read_settings()
    access, names = access_of(settings), names_of(settings)
    answers = settings.reply_subjects
    print_json(blueprint(access, names, topology_of(settings), answers))
    return 0


class _Nothing:
    """Stands where the document needs a dependency, and is never used."""

    def __call__(self, *_given: Sequence[object], **_named: object) -> NoReturn:
        raise NotImplementedError
