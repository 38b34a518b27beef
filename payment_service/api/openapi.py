"""Makes the OpenAPI document: of the views' shapes, and of the bodies that are read.

An operation is called after the function that does it, and told in its words.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from inspect import getdoc
from typing import Any, Final, Literal, TypedDict

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from fsm.domain.keys import KeyRole
from payment_service.api.openapi_texts import finish
from payment_service.api.responses import PROBLEM_TYPE
from payment_service.api.schemas import (
    Assignment,
    Cancellation,
    Closing,
    Erasing,
    EvidenceObject,
    KeyWish,
    Pausing,
    Replaying,
    Resolution,
    Revoking,
    Settlement,
    ThresholdWish,
    Unlinking,
    Withdrawing,
)
from payment_service.wire.json_schemas import REF, drop_unused, ref, tidied, tidy
from payment_service.wire.problem_shapes import Problem
from payment_service.wire.readers import PATHS, READERS
from payment_service.wire.webhook_message import WebhookBody

Responses = dict[int | str, dict[str, Any]]
RETRY_AFTER: Final = {
    "headers": {
        "Retry-After": {
            "description": "So many seconds are to pass before the next try.",
            "schema": {"type": "integer", "minimum": 1},
        }
    }
}
HEADERS: Final[Mapping[int, dict[str, Any]]] = {429: RETRY_AFTER, 503: RETRY_AFTER}


_SHOWN: Final[tuple[tuple[type[BaseModel], Literal["validation"]], ...]] = (
    *((READERS[kind].model, "validation") for kind in PATHS),
    (Unlinking, "validation"),
    (WebhookBody, "validation"),
    (Resolution, "validation"),
    (EvidenceObject, "validation"),
    (Cancellation, "validation"),
    (Closing, "validation"),
    (Erasing, "validation"),
    (Assignment, "validation"),
    (Settlement, "validation"),
    (Replaying, "validation"),
    (Pausing, "validation"),
    (KeyWish, "validation"),
    (Revoking, "validation"),
    (ThresholdWish, "validation"),
    (Withdrawing, "validation"),
)


_ANSWERED: Final[dict[str, type[Mapping[str, Any]]]] = {"Problem": Problem}
"""The shapes of answers, by the names under which the document has them."""


def answer(description: str, shape: type[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe a success, by a name: only the document has to know what it stands for.

    A framework that is given the shape itself reads it anew for each application.
    """
    if _ANSWERED.setdefault(shape.__name__, shape) is not shape:
        raise ValueError(f"two shapes are called {shape.__name__}")
    schema = ref(shape.__name__)
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }


class Texts(TypedDict):
    """What is told of an operation."""

    summary: str
    description: str


def texts(call: Callable[..., object], roles: Sequence[KeyRole]) -> Texts:
    """Return the summary and the description of an operation: its function's own."""
    summary, _, more = (getdoc(call) or "").partition("\n")
    return words_of(summary, roles, more=more)


def words_of(summary: str, roles: Sequence[KeyRole], *, more: str = "") -> Texts:
    """Return the summary and the description of an operation, and who may call it."""
    who = f"Role: {' or '.join(roles)}." if roles else "Nobody needs a key."
    described = f"{more.strip()}\n\n{who}".strip()
    return {
        "summary": summary.removesuffix(".").replace("``", "`"),
        "description": described.replace("``", "`"),
    }


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation: its function's, in camel case."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), route.name)


def problem(status: int, description: str) -> Responses:
    """Describe a failure."""
    told = {
        "description": description,
        "content": {PROBLEM_TYPE: {"schema": ref("Problem")}},
    }
    return {status: told | HEADERS.get(status, {})}


def body_of(model: str, *, required: bool = True) -> dict[str, Any]:
    """Describe the body of a request, which the framework does not read itself."""
    content = {"application/json": {"schema": ref(model)}}
    return {"requestBody": {"required": required, "content": content}}


GUARDED: Final[Responses] = {
    **problem(401, "No key, or one that is not known."),
    **problem(403, "The key's role may not do this."),
    **problem(500, "A failure of ours; the document holds its correlation_id."),
    **problem(503, "Not just now; try again."),
}
WITH_BODY: Final[Responses] = {
    **problem(400, "The body broke off."),
    **problem(408, "The body did not come in time."),
    **problem(413, "The body is over 256 KiB."),
    **problem(415, "The body is compressed."),
    **problem(422, "The body or a parameter is not as documented."),
}


class PaymentApi(FastAPI):
    """The application, whose document knows the shapes that handlers read by hand."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            _, shown = models_json_schema(list(_SHOWN), ref_template=REF)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(shown["$defs"] | _answered())
            document["components"]["schemas"] = tidied(schemas)
            document["paths"] = tidy(document["paths"])
            _forget_framework_answers(document)
            drop_unused(document)
            self.openapi_schema = finish(document)
        return self.openapi_schema


def _answered() -> dict[str, Any]:
    """Return the schemas of what answers hold, and of all that is in it."""
    shapes: list[tuple[str, Literal["serialization"], TypeAdapter[Any]]] = [
        (name, "serialization", TypeAdapter(shape)) for name, shape in _ANSWERED.items()
    ]
    _, found = TypeAdapter.json_schemas(shapes, ref_template=REF)
    return dict(found["$defs"])


def _forget_framework_answers(document: dict[str, Any]) -> None:
    """Take out what the framework says that it answers, and never does here."""
    for path in document["paths"].values():
        for operation in path.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in content:
                del operation["responses"]["422"]
