"""docs/contract.md is held to the code, both ways, section by section."""

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import typer

from fsm.domain.request_kinds import NOT_BUILT
from fsm.payout.table import TABLE
from fsm.service.lifecycle import LIFECYCLES
from handlers.ports.core import Operation
from handlers.ports.payments import Charged, Refunded
from handlers.ports.services import ServicePending, ServiceRefused, ServiceUnclear
from payment_service.cli import errors
from payment_service.cli.commands import app
from payment_service.observability.metrics import Metrics
from payment_service.wire.asyncapi import asyncapi, internal_asyncapi
from payment_service.wire.event_schemas import FIELDS
from payment_service.wire.readers import PATHS
from providers.config import parse_config
from providers.signatures import SCHEMES
from tests.api.promised import document
from tests.docs.pages import (
    DOCS,
    listed,
    rows_of,
    section_of,
)
from tests.providers.rest.test_charges import CHARGE, REFUND, charging
from tests.providers.services.test_services import CALL, LOAD, service_saying

PAGE = DOCS / "contract.md"
NOT_YET = "*Not built yet*"
NOT_YET_BELOW = "*Not built yet"
OPENAPI = document()
ASYNCAPI = asyncapi()
INTERNAL = internal_asyncapi()


def section(number):
    [heading] = re.findall(rf"^## {number}\. .*$", PAGE.read_text(), re.MULTILINE)
    return section_of(PAGE, heading)


def rows(number, columns):
    """Return the rows of the tables of a section that have so many columns."""
    found = [row for row in rows_of(section(number)) if len(row) == columns]
    built = [row for row in found if NOT_YET_BELOW.lower() not in row[-1].lower()]
    later = [row for row in found if row not in built]
    return built, later


def commands():
    """Return every command of the program: its words, its options."""
    found = {}

    def walk(group, words):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, (*words, name))
            else:
                options = {
                    each
                    for parameter in command.params
                    for each in parameter.opts
                    if each.startswith("--") and each != "--help"
                }
                found[" ".join((*words, name))] = options

    walk(typer.main.get_command(app), ())
    return found


def told_commands(told):
    return {
        re.split(r" (?=[\[A-Z-]|positive)", each)[0]: {
            *re.findall(r"--[a-z0-9-]+", each)
        }
        for row in told
        for each in listed(row[0])
    }


def enum(name):
    """Return the words of a closed vocabulary, as OpenAPI has them."""
    return OPENAPI["components"]["schemas"][name]["enum"]


def test_every_command_and_option_is_told_and_no_other():
    built, later = rows(1, 2)
    built = [row for row in built if "`" in row[0]]

    assert told_commands(built) == commands()
    assert later
    names = {name.split(" ")[0] for name in commands()}
    assert {name.split(" ")[0] for name in told_commands(later)} & names == set()


def test_the_exit_codes_are_those_of_the_code():
    codes = (
        errors.DONE,
        errors.FOUND_WRONG,
        errors.WRONG_USAGE,
        errors.INTERRUPTED,
    )

    assert [row[0] for row in rows(1, 2)[0] if row[0].isdigit()] == [
        str(code) for code in codes
    ]


def test_the_roles_of_keys_are_those_of_the_code():
    [told] = re.findall(
        r"^Roles of API keys: .*?\n\n", section(2), re.MULTILINE | re.DOTALL
    )

    assert {*re.findall(r"`(\w+)`", told)} == {*enum("KeyRole")}


def test_the_streams_are_those_that_are_made():
    told = {
        listed(row[0])[0]: {*listed(row[1])}
        for row in rows(3, 3)[0]
        if row[0].isupper()
    }

    made = ASYNCAPI["x-jetstream-streams"]
    assert told == {name: {*stream["subjects"]} for name, stream in made.items()}


def test_every_subject_is_told_and_no_other():
    built, later = rows(3, 3)
    told = {
        subject
        for row in (*built, *later)
        for subject in listed(row[0])
        if not row[0].isupper()
    }
    events = {
        f"order.event.{kind}.{word}"
        for kinds, words in re.findall(
            r"`order\.event\.\{([\w|]+)\}\.\{([\w|]+)\}`", section(3)
        )
        for kind in kinds.split("|")
        for word in words.split("|")
        if (kind.startswith("partner"), word) != (True, "attempt_failed")
    }
    assert "removal have no `attempt_failed`" in section(3)

    addresses = {
        channel["address"]
        for document in (ASYNCAPI, INTERNAL)
        for channel in document["channels"].values()
    }
    # What is only refused is in no document.
    assert {subject for row in later for subject in listed(row[0])} == NOT_BUILT
    assert told | events == (addresses - {None}) | NOT_BUILT
    assert told & events == set()


def test_the_bodies_of_messages_are_those_of_the_document():
    schemas = {
        **ASYNCAPI["components"]["schemas"],
        **INTERNAL["components"]["schemas"],
        "OrderEvent": {"properties": FIELDS},
    }
    told = section(3)

    for begins, schema in (
        ('{"order_id", "queue_id"?, "status"', "Answer"),
        ('{"event_id", "type"', "OrderEvent"),
        ('{"task_id", "queue_id", "version"}', "TaskWakeup"),
        ('{"provider", "event_id", "received_at", "body"}', "WebhookMessage"),
        ('{"order_id", "merchant_id", "reason"}', "WithdrawalCancelRequest"),
    ):
        text = told[told.index(begins) :].split("`")[0]
        assert {*keys_of(text)} == {*schemas[schema]["properties"]}, schema


def keys_of(text):
    """Return the keys of an outline like ``{"a", "b"?, "c": "x"|"y"}``."""
    outer = re.sub(r"\[\{[^\]]*\}\]", "", text)
    return re.findall(r'[{,]\s*"(\w+)"', outer)


def test_why_a_letter_is_dead_is_told_and_nothing_else():
    told = [listed(row[0])[0] for row in rows(3, 2)[0]]

    assert told == enum("DeadLetterReason")


def test_the_headers_are_those_of_the_document():
    told = {*re.findall(r"`(X-[A-Za-z-]+)", section(3))}
    known = {
        name
        for message in ASYNCAPI["components"]["messages"].values()
        for name in message.get("headers", {}).get("properties", {})
        if name.startswith("X-")
    }

    assert told == known | {"X-Replay-Of"}


def test_what_is_asked_of_core_is_told():
    built, later = rows(4, 3)
    told = " ".join(row[0] for row in built)

    balance = {*re.findall(r"/v1/balance/(\w+)", told)}
    assert balance == {operation.value for operation in Operation} | {"entries"}
    assert "/v1/notifications" in told
    assert [row for row in later if "/v1/memberships" in row[0]] == later


def test_the_file_that_is_shown_is_taken():
    [text] = re.findall(r"^```toml\n(.*?)^```$", section(5), re.MULTILINE | re.DOTALL)
    names = {*re.findall(r"\$\{([A-Z_]+)\}", text)} - {"NAME"}
    secrets = {name: f"whsec_{'Ab1d' * 6}{n}AAA" for n, name in enumerate(names)}

    config = parse_config(text, ack_wait=timedelta(seconds=30), environment=secrets)

    assert [*config.providers, *config.services] == ["acme", "fraud"]
    assert [*config.partners, *config.forwarders] == ["northbank", "provider-service"]


async def test_what_is_asked_of_a_service_is_told():
    table = section(5).partition("| call of a service |")[2].partition("\n\n")[0]
    told = {
        (method, path, key)
        for row in table.splitlines()[2:]
        for method, path in re.findall(r"`(GET|POST) \{base_url\}(\S+?)`", row)
        for key in [*re.findall(r"Idempotency-Key: (\S+?)`", row), None][:1]
    }

    async with service_saying(200, {}) as (services, fake):
        for call in ("do", "undo", "ask"):
            await getattr(services.get("payment"), call)(CALL)
        await services.get("items").load(LOAD)

    names = {"/api": "", "t-1": "{task_id}", "payment": "{step}", "items": "{name}"}
    asked = set()
    for method, path, headers, _ in fake.asked:
        said = [path, headers.get("Idempotency-Key") or ""]
        for name, hole in names.items():
            said = [text.replace(name, hole) for text in said]
        asked.add((method, said[0], said[1] or None))
    assert told == asked


async def test_what_is_asked_of_a_payment_provider_is_told():
    table = section(5).partition("| call of a charge |")[2].partition("\n\n")[0]
    told = {
        name: (method, path, key or None, {*re.findall(r'"(\w+)"', body)})
        for name, method, path, key, body in re.findall(
            r"^\| (\w+) \| `(GET|POST) \{base_url\}(\S+?)`"
            r"(?:, `Idempotency-Key: (\S+?)`, `(.*?)`)?",
            table,
            re.MULTILINE,
        )
    }

    async with charging(200, {}) as (provider, fake):
        await provider.charge(CHARGE)
        await provider.charge_status(CHARGE)
        await provider.refund(REFUND)

    asked = {}
    for name, (method, path, key, body) in zip(told, fake.asked, strict=True):
        holes = [(x or "").replace(CHARGE.reference, "{task_id}") for x in (path, key)]
        at = holes[0].removeprefix("/api")
        asked[name] = (method, at, holes[1] or None, {*(body or {})})
    assert told == asked


@pytest.mark.parametrize(
    ("call", "answers"),
    [
        ("charge", {"succeeded": Charged, "accepted": ServiceUnclear}),
        (
            "status",
            {
                "succeeded": Charged,
                "accepted": ServicePending,
                "declined": ServiceRefused,
                "failed": ServiceRefused,
            },
        ),
        ("refund", {"refunded": Refunded, "accepted": ServiceUnclear}),
    ],
)
async def test_the_words_of_a_charge_are_told_and_no_other_is_heard(call, answers):
    table = section(5).partition("| call of a charge |")[2].partition("\n\n")[0]
    [row] = re.findall(rf"^\| {call} \|.*\|$", table, re.MULTILINE)
    words = re.findall(r"2(?:xx|00) `\{\"status\": (.*?), ", row)[0]
    asking = {"status": "charge_status"}.get(call, call)

    for word, kind in {**answers, "percolating": ServiceUnclear}.items():
        async with charging(200, {"status": word, "code": "x"}) as (provider, _):
            assert type(await getattr(provider, asking)(REFUND)) is kind
    assert re.findall(r'"(\w+)"', words) == [*answers]


def test_the_moves_of_a_service_step_are_those_of_its_tables():
    [text] = re.findall(r"A service step: (.*?)\. A partner", section(6), re.DOTALL)
    chains = [each.split(" → ") for each in " ".join(text.split()).split("; ")]
    moves = {
        (source, dest)
        for chain in chains
        for sources, dests in pairwise(chain)
        for source in [sources.split(" | ")[0]]
        for dest in dests.split(" | ")
    }
    rows = [row for each in LIFECYCLES.values() for row in each.table]

    happen = {(row.source.value, row.dest.value) for row in rows}
    assert {move for move in happen if move[0] != move[1]} == moves


def test_the_states_and_moves_are_those_of_the_table():
    [text] = re.findall(r"^```text\n(.*?)^```$", section(6), re.MULTILINE | re.DOTALL)
    *lines, final = text.strip().splitlines()
    moves = {
        (source.strip(), dest.strip())
        for line in lines
        for source, _, dests in [line.partition("→")]
        for dest in dests.split("|")
    }

    happen = {(row.source.value, row.dest.value) for row in TABLE}
    assert {move for move in happen if move[0] != move[1]} <= moves
    assert {name for move in moves for name in move} == {*enum("TaskState")}
    assert {*re.findall(r"[A-Z]+", final)} - {"S"} == {
        state for state in enum("TaskState") if state not in {move[0] for move in moves}
    }


def test_the_orders_states_are_those_of_the_code():
    [told] = re.findall(r"Orders: (.*?); all", section(6))

    assert listed(told) == enum("OrderState")


def test_every_scheme_of_webhooks_is_told():
    told = [name for row in rows(7, 4)[0] for name in listed(row[0])]

    assert sorted(told) == sorted(SCHEMES)


def test_the_statuses_of_a_webhook_are_those_of_the_document():
    [told] = re.findall(
        r"^`POST /webhooks.*?2xx means", section(7), re.MULTILINE | re.DOTALL
    )
    known = {*OPENAPI["paths"]["/webhooks/{provider}"]["post"]["responses"]}

    assert {*re.findall(r"\b([245]\d\d)\b", told)} - {"256"} == known - {"500"}


def calls_of(text):
    return [
        (method, path, {*re.findall(r"(\w+)=", query)})
        for method, path, query in re.findall(
            r"`(GET|POST|DELETE) ([^`?]+)\??([^`]*)`", text
        )
    ]


def documented():
    return [
        (
            method.upper(),
            path,
            {
                each["name"]
                for each in call.get("parameters", ())
                if each["in"] == "query"
            },
        )
        for path, operations in OPENAPI["paths"].items()
        for method, call in operations.items()
    ]


def test_every_call_and_parameter_is_told_and_no_other():
    built, later = rows(8, 3)
    told = [call for row in built for call in calls_of(row[0])]

    assert sorted(told, key=str) == sorted(documented(), key=str)
    spoken_for = {
        path for row in later if row not in built for _, path, _ in calls_of(row[0])
    }
    assert "/console" in spoken_for
    assert spoken_for & OPENAPI["paths"].keys() == set()


def test_every_role_of_a_call_is_told():
    for row in rows(8, 3)[0]:
        for method, path, _ in calls_of(row[0]):
            told = OPENAPI["paths"][path][method.lower()].get("description", "")
            if found := re.fullmatch(r"Role: (.*)\.", told):
                for role in found[1].split(" or "):
                    assert f"`{role}`" in row[1], path


def test_every_body_of_a_call_is_told():
    """It stands behind the call, or behind the last of several that take the same."""
    for row in rows(8, 3)[0]:
        for method, path, _ in calls_of(row[0]):
            call = OPENAPI["paths"][path][method.lower()]
            if not path.startswith("/v1/") or "requestBody" not in call:
                continue
            if method == "POST" and path in PATHS.values():  # section 3 has them
                continue
            behind = re.split(rf"{method} {re.escape(path)}(?:\?[^`]*)?`", row[0])[1]
            body = re.search(r"`(\{[^`]*\})`", behind)
            assert body, path
            assert {*keys_of(body[1])} == {*keys_of_body(call)}, path


def keys_of_body(call):
    [content] = call["requestBody"]["content"].values()
    name = content["schema"]["$ref"].rpartition("/")[2]
    return OPENAPI["components"]["schemas"][name]["properties"]


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("tasks", "Task"),
        ("events", "AuditEntry"),
        ("cases", "Case"),
        ("dead_letters", "DeadLetter"),
        ("providers", "Provider"),
        ("refused", "ErasureRefusal"),
    ],
)
def test_what_a_list_shows_has_the_members_of_the_document(name, schema):
    [inner] = re.findall(rf'"{name}": \[(\{{[^\]]*\}})\]', section(8))
    shape = OPENAPI["components"]["schemas"][schema]

    assert {*keys_of(inner)} == shape["properties"].keys()
    optional = {*re.findall(r'"(\w+)"\?', inner)}
    assert optional == shape["properties"].keys() - {*shape["required"]}


def test_an_order_has_the_members_of_the_document():
    [told] = re.findall(r"^An order: `(.*?)`", section(8), re.MULTILINE | re.DOTALL)

    shape = OPENAPI["components"]["schemas"]["Order"]
    always = {*shape["required"]}
    assert {*keys_of(told)} == shape["properties"].keys() == {*always, "result"}


def test_the_kinds_and_states_of_cases_are_those_of_the_code():
    [told] = re.findall(r"^Kinds of cases: (.*)$", section(8), re.MULTILINE)

    assert listed(told) == enum("CaseKind")
    for state in enum("CaseState"):
        assert f"`{state}`" in section(8)


def test_every_metric_is_told_with_its_labels_and_type():
    told = {}
    for names, kinds, _ in rows(9, 3)[0]:
        kind, last = [*kinds.split(", ")], None
        for number, text in enumerate(re.findall(r"`([^`]+)`", names)):
            name, _, labels = text.partition("{")
            last = kind[min(number, len(kind) - 1)]
            told[name] = (last, [*filter(None, labels.rstrip("}").split(","))])

    collectors: list[Any] = [*Metrics().registry._collector_to_names]
    known = {
        each._name + ("_total" if each._type == "counter" else ""): (
            each._type,
            [*each._labelnames],
        )
        for each in collectors
    }
    assert told == known


def test_what_is_not_built_is_not_in_an_order():
    shown = OPENAPI["components"]["schemas"]["Order"]["properties"]

    assert {"rollouts", "lane", "mode"} & shown.keys() == set()
