"""Validates against the schemas of a document: strictly, with formats."""

import copy

from jsonschema import Draft202012Validator, FormatChecker


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
