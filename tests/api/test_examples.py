"""The OpenAPI document has what good code is generated from: names, texts, examples."""

import re

import pytest

from payment_service.api.examples import ANSWERED, PATH, SENT, TOLD
from payment_service.api.openapi_texts import PARAMETERS, TAGS
from payment_service.wire.json_schemas import NAMES
from payment_service.wire.readers import PATHS, READERS
from tests.api.promised import document
from tests.wire.schemas import fitting, strict

DOCUMENT = strict(document())
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: operation
    for operations in DOCUMENT["paths"].values()
    for operation in operations.values()
}
VERBS = (
    "agree|assign|cancel|close|create|discard|erase|get|list|pause|receive|replay|"
    "resolve|resume|revoke|set|settle|unlink|withdraw"
)


def contents(operation):
    """Give the example and the schema of each body, and what it is of."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "request", content
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            yield status, content


def fields(node, path=()):
    """Give each field of each schema, with its name and where it stands."""
    for name, schema in node.get("properties", {}).items():
        yield name, schema, (*path, name)
        yield from fields(schema, (*path, name))


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_named_and_told_as_by_a_person(name):
    operation = OPERATIONS[name]

    assert re.fullmatch(rf"({VERBS})([A-Z][a-z]+)+", name)
    assert 10 < len(operation["summary"]) < 90
    assert not operation["summary"].endswith(".")
    assert "``" not in operation["description"]
    assert "Role: " in operation["description"] or "security" not in operation
    assert {*operation["tags"]} <= TAGS.keys()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_has_an_example_that_fits_its_schema(name):
    found = [*contents(OPERATIONS[name])]
    assert found
    for what, content in found:
        assert "example" in content, what
        fitting(content["schema"], DOCUMENT).validate(content["example"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_problem_is_an_example_of_its_own_status(name):
    for what, content in contents(OPERATIONS[name]):
        if what >= "4" and what != "request":
            assert content["example"]["status"] == int(what)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_parameter_is_told_and_never_null(name):
    for parameter in OPERATIONS[name].get("parameters", ()):
        assert {"type": "null"} not in parameter["schema"].get("anyOf", ())
        if parameter["in"] == "path":
            assert parameter["description"]
            fitting(parameter["schema"], DOCUMENT).validate(parameter["example"])


def test_every_example_is_shown_and_none_besides():
    models, statuses, parameters = set(), set(), set()
    for name, operation in OPERATIONS.items():
        parameters |= {p["name"] for p in operation.get("parameters", ())}
        for what, content in contents(operation):
            models.add(content["schema"].get("$ref", "").rpartition("/")[2])
            if what != "request":
                statuses.add((name, int(what)))

    assert TOLD.keys() - statuses == set()
    assert {*SENT, *ANSWERED} - models == set()
    assert PARAMETERS.keys() == PATH.keys()
    assert PATH.keys() - parameters == set()


def test_schemas_have_the_names_of_the_field():
    assert {*NAMES} & {*NAMES.values()} == set()
    assert {*NAMES} & {*SCHEMAS} == set()
    for name in SCHEMAS:
        assert re.fullmatch("([A-Z][a-z0-9]+)+", name)
        assert not name.endswith("Shape")


def test_times_and_our_own_ids_have_their_formats():
    for name, schema in SCHEMAS.items():
        for field, its, _ in fields(schema):
            forms = its.get("anyOf", [its])
            texts = [each for each in forms if each.get("type") == "string"]
            wanted = {"at": "date-time", "queue_id": "uuid", "task_id": "uuid"}
            kind = wanted.get(field) or ("date-time" if field[-3:] == "_at" else None)
            if kind is not None:
                assert [each.get("format") for each in texts] == [kind], (name, field)


def test_code_that_is_generated_has_one_type_for_a_vocabulary():
    for name, schema in SCHEMAS.items():
        for field, its, _ in fields(schema):
            assert "title" not in its or field == "title"
            for part in its.get("anyOf", ()):
                assert "enum" not in part, (name, field)
                assert part.get("type") != "object" or "$ref" in part, (name, field)


def test_nothing_is_told_of_that_is_only_refused():
    """Kinds without a path are asked for on the bus alone, so no body is shown."""
    taken = {READERS[kind].model.__name__ for kind in PATHS}
    shown = {NAMES[reader.model.__name__] for reader in READERS.values()}
    assert {NAMES[name] for name in taken} == shown & {*SCHEMAS}
