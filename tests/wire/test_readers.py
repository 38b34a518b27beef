"""One table says of each kind of request where it comes in and how it is read."""

from typing import Any

import orjson
import pytest

from fsm.domain import request_kinds
from fsm.domain.errors import InvalidRequest
from fsm.domain.request_kinds import KINDS, SUBJECTS
from fsm.engine.words import Kind
from handlers.ports.services import NoServices
from handlers.route import ANSWERED, KNOWN
from payment_service.bus.topology import REQUEST_SUBJECTS
from payment_service.wire.readers import PATHS, READERS, read_message, read_request


class Configured:
    """Parties by name alone: what a reader asks of them."""

    def __init__(self, *names):
        self.providers = self.services = self.partners = self
        self.paid_by = {}
        self._names = [*names]

    def names(self):
        return self._names


KNOWN_PARTIES: Any = Configured(
    "acme", "zeta", "fraud", "payment", "delivery", "merchant", "northbank"
)


def test_every_kind_has_a_subject_and_a_path_of_its_own():
    assert {*SUBJECTS} == {*Kind} == {*READERS}
    assert {*PATHS} == {*Kind} - {Kind.PARTNER_UNLINK}
    assert len({*SUBJECTS.values()}) == len(Kind)
    assert len({*PATHS.values()}) == len(PATHS)
    assert {*KINDS.items()} == {(subject, kind) for kind, subject in SUBJECTS.items()}


def test_all_that_hear_requests_hear_the_kinds_of_the_table():
    assert {*SUBJECTS.values()} < ANSWERED
    assert {*REQUEST_SUBJECTS} == {*request_kinds.ALL} > {*SUBJECTS.values()}
    assert {*REQUEST_SUBJECTS} - KNOWN == request_kinds.NOT_BUILT


@pytest.mark.parametrize("kind", [*READERS])
def test_the_example_of_a_kind_is_read_as_that_kind(kind):
    data = orjson.dumps(READERS[kind].example)

    read = read_message(SUBJECTS[kind], data, KNOWN_PARTIES)

    assert read.kind is kind
    assert read == read_request(kind, data, KNOWN_PARTIES)


def test_a_withdrawal_needs_no_services_and_a_checkout_no_providers():
    only_providers: Any = Configured("acme", "zeta")
    only_providers.services = NoServices()

    read_request(
        Kind.WITHDRAWAL, orjson.dumps(READERS[Kind.WITHDRAWAL].example), only_providers
    )
    with pytest.raises(InvalidRequest, match="an unknown step service"):
        read_request(
            Kind.CHECKOUT, orjson.dumps(READERS[Kind.CHECKOUT].example), only_providers
        )


def test_a_step_that_payment_providers_do_needs_no_service():
    parties: Any = Configured("fraud", "delivery", "merchant")
    data = orjson.dumps(READERS[Kind.CHECKOUT].example)
    with pytest.raises(InvalidRequest, match="payment: an unknown step service"):
        read_request(Kind.CHECKOUT, data, parties)

    parties.paid_by = {"payment": ("north",)}

    assert read_request(Kind.CHECKOUT, data, parties).kind is Kind.CHECKOUT


@pytest.mark.parametrize("kind", [*READERS])
def test_what_is_not_known_of_a_request_is_named_at_any_depth(kind):
    example = READERS[kind].example
    sent = {**example, "nonsense": {"a": 1}, "metadata": {"free": {"to": "say"}}}
    for name, value in example.items():
        if name not in {"metadata", "delivery"}:
            if isinstance(value, dict):
                sent[name] = {**value, "Type": "x"}
            elif isinstance(value, list):
                sent[name] = [*value[:-1], {**value[-1], "note": None}]

    plain = read_request(kind, orjson.dumps(example), KNOWN_PARTIES)
    odd = read_request(kind, orjson.dumps(sent), KNOWN_PARTIES)

    inside = {
        f"/{name}/Type" if isinstance(value, dict) else f"/{name}/{len(value) - 1}/note"
        for name, value in example.items()
        if name not in {"metadata", "delivery"} and isinstance(value, dict | list)
    }
    assert plain.warnings == ()
    assert {each.pointer for each in odd.warnings} == {"/nonsense", *inside}
    assert len(odd.warnings) > 1


@pytest.mark.parametrize("kind", [*READERS])
@pytest.mark.parametrize("mode", ["shadow", "test", None, {}])
def test_a_mode_that_is_not_built_moves_no_money(kind, mode):
    data = orjson.dumps({**READERS[kind].example, "mode": mode})

    with pytest.raises(InvalidRequest, match="mode: there are no modes yet") as refused:
        read_request(kind, data, KNOWN_PARTIES)

    assert refused.value.order_id == READERS[kind].example["order_id"]
