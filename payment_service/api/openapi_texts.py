"""What OpenAPI tells beside routes and schemas: servers, tags, examples."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from payment_service.api.examples import ANSWERED, PATH, SENT, TOLD
from payment_service.api.problem_examples import problem_example
from payment_service.wire.json_schemas import REF

Json = dict[str, Any]

INFO: Final[Json] = {
    "contact": {"name": "The maintainers of payment-service"},
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
SERVERS: Final[list[Json]] = [
    {"url": "/", "description": "The server that this document was read from."},
    {
        "url": "http://127.0.0.1:8000",
        "description": "The default of PAYMENT_HTTP_HOST and PAYMENT_HTTP_PORT.",
    },
]
TAGS: Final[Mapping[str, str]] = {
    "orders": "What upstream systems ask for, and what became of it.",
    "tasks": "Single attempts: decided by people, or given up.",
    "cases": "Contradictions that a person has to look at.",
    "dead letters": "Messages that could not be handled.",
    "providers": "Who pays out: how they do, paused and resumed.",
    "customers": "Erasure.",
    "people": "Keys, and from which amounts two persons decide.",
    "service events": "What was done to the service itself.",
    "webhooks": "News of providers.",
    "probes": "What machines ask.",
}
PARAMETERS: Final[Mapping[str, Json]] = {
    "order": {"description": "The order's order_id or queue_id."},
    "order_id": {"description": "The order_id or queue_id of the order that links."},
    "task_id": {"description": "The attempt.", "format": "uuid"},
    "item_id": {"description": "The case or the dead letter.", "format": "uuid"},
    "customer": {"description": "The customer_id of the orders."},
    "provider": {"description": "The name of a configured provider."},
    "name": {"description": "The name of the provider, or of the key."},
}
"""What is told of parameters of the path."""


def finish(document: Json) -> Json:
    """Return the document with all of it."""
    document["info"] |= INFO
    document["servers"] = SERVERS
    document["tags"] = [
        {"name": name, "description": told} for name, told in TAGS.items()
    ]
    for operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            _tell(parameter)
        _exemplify(operation)
    return document


def _operations(document: Json) -> Iterator[Json]:
    for operations in document["paths"].values():
        yield from operations.values()


def _tell(parameter: Json) -> None:
    """Say what a parameter is; one that is left out is left out, and never null."""
    schema = parameter["schema"]
    forms = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if forms:
        schema |= forms[0] if len(forms) == 1 else {"anyOf": forms}
    if parameter["in"] == "path":
        told = dict(PARAMETERS[parameter["name"]])
        if "format" in told:
            schema["format"] = told.pop("format")
        parameter |= {**told, "example": PATH[parameter["name"]]}


def _exemplify(operation: Json) -> None:
    """Give each body that is sent or answered an example."""
    name = operation["operationId"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = SENT.get(name) or SENT[_model(content)]
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            content["example"] = _answer(name, int(status), content)


def _answer(operation: str, status: int, content: Json) -> object:
    told = TOLD.get((operation, status))
    if told is not None:
        return told
    model = _model(content)
    return problem_example(status) if model == "Problem" else ANSWERED[model]


def _model(content: Json) -> str:
    """Return the name of the schema of some content."""
    return str(content["schema"].get("$ref", "")).removeprefix(REF.format(model=""))
