"""Validates against the schemas of a document: strictly, with formats."""

import copy
from functools import cache

from jsonschema import Draft202012Validator, FormatChecker

from payment_service.wire.asyncapi import asyncapi


def strict(document):
    """Return a document whose objects hold no field that it does not know."""
    document = copy.deepcopy(document)
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return document


def fitting(schema, document):
    """Return what validates against a schema of that document."""
    whole = {**schema, "components": document["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


@cache
def published():
    """Return what validates payload and headers, by what messages are called."""
    document = strict(asyncapi())
    return {
        message.get("title", name): (
            fitting(message["payload"], document),
            fitting(message.get("headers", {}), document),
        )
        for name, message in document["components"]["messages"].items()
    }


def misfits(subject, body, headers):
    """Say what of a message that was published is not as the document has it."""
    payload, head = published()[subject]
    wrong = [*payload.iter_errors(body), *head.iter_errors(dict(headers))]
    return [f"{subject}: {each.json_path} {each.message}" for each in wrong]
