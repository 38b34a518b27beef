"""Makes the OpenAPI document: of the views' shapes, and of the bodies that are read."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from payment_service.api.responses import PROBLEM_TYPE
from payment_service.api.schemas import (
    Assignment,
    Cancellation,
    Closing,
    Erasing,
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
from payment_service.wire.problem_shapes import Problem
from payment_service.wire.readers import READERS
from payment_service.wire.webhook_message import WebhookBody

SCHEMAS: Final = "#/components/schemas/{model}"
Responses = dict[int | str, dict[str, Any]]


_SHOWN: Final[tuple[tuple[type[BaseModel], Literal["validation"]], ...]] = (
    *((reader.model, "validation") for reader in READERS.values()),
    (Unlinking, "validation"),
    (WebhookBody, "validation"),
    (Resolution, "validation"),
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
    schema = {"$ref": SCHEMAS.format(model=shape.__name__)}
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }


def problem(status: int, description: str) -> Responses:
    """Describe a failure."""
    schema = {"$ref": SCHEMAS.format(model="Problem")}
    return {
        status: {
            "description": description,
            "content": {PROBLEM_TYPE: {"schema": schema}},
        }
    }


def body_of(model: str, *, required: bool = True) -> dict[str, Any]:
    """Describe the body of a request, which the framework does not read itself."""
    schema = {"$ref": SCHEMAS.format(model=model)}
    content = {"application/json": {"schema": schema}}
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
            _, shown = models_json_schema(list(_SHOWN), ref_template=SCHEMAS)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(shown["$defs"])
            schemas.update(_answered())
            _forget_framework_answers(document)
            self.openapi_schema = document
        return self.openapi_schema


def _answered() -> dict[str, Any]:
    """Return the schemas of what answers hold, and of all that is in it."""
    shapes: list[tuple[str, Literal["serialization"], TypeAdapter[Any]]] = [
        (name, "serialization", TypeAdapter(shape)) for name, shape in _ANSWERED.items()
    ]
    _, found = TypeAdapter.json_schemas(shapes, ref_template=SCHEMAS)
    return dict(found["$defs"])


def _forget_framework_answers(document: dict[str, Any]) -> None:
    """Take out what the framework says that it answers, and never does here."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for path in document["paths"].values():
        for operation in path.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in content:
                del operation["responses"]["422"]
