"""`python -m tests.api.promised`: writes down what the OpenAPI document promises.

Callers rely on every line: none may go or change, and new ones may come.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from payment_service.api.app import create_app
from tests.api.fakes import World, deps_of

PAGE = Path(__file__).parent / "promised.txt"


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document; it is nobody's to change."""
    return create_app(deps_of(World())).openapi()


def promises(document: dict[str, Any]) -> Iterator[str]:
    """Return each call with its answers, each field with its type, each word."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _call(f"{method.upper()} {path}", operation)
    for name, schema in document["components"]["schemas"].items():
        yield from _words(name, schema)
        for field, its in schema.get("properties", {}).items():
            must = "required " if field in schema.get("required", ()) else ""
            yield f"{name}.{field}: {must}{_type(its)}"
            yield from _words(f"{name}.{field}", its)


def _call(call: str, operation: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        yield f"{call} ?{parameter['in']} {parameter['name']}"
    for status, answer in operation["responses"].items():
        for kind, content in answer.get("content", {}).items():
            yield f"{call} -> {status} {kind} {_type(content['schema'])}"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(sorted(map(_type, schema["anyOf"])))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", "anything"))


def _words(name: str, schema: dict[str, Any]) -> Iterator[str]:
    for part in (schema, *schema.get("anyOf", ())):
        for word in part.get("enum", ()):
            yield f"{name} = {word}"


if __name__ == "__main__":
    PAGE.write_text("".join(f"{line}\n" for line in sorted({*promises(document())})))
