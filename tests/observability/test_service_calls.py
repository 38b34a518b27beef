"""Calls to services are counted by what they came to, whoever makes them."""

from typing import get_args

import pytest

from fsm.service.policy import ServicePolicy
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    LoadAnswer,
    LoadCall,
    NoServices,
    ServiceCall,
    ServiceDone,
    ServiceUnclear,
    UndoAnswer,
)
from payment_service.observability import measured
from payment_service.observability.measured import MeasuredServices
from payment_service.observability.metrics import Metrics

CALL = ServiceCall(step="fraud", task_id="t-1", order={})
LOAD = LoadCall(name="fraud", queue_id="q-1", order={})


class Scripted:
    """Gives the same answer to everything, or raises it."""

    def __init__(self, answer):
        self.name, self.policy = "fraud", ServicePolicy(attempts=3)
        self._answer = answer

    async def do(self, call):
        del call
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer

    undo = ask = load = do

    def get(self, name):
        return self if name == self.name else None

    def names(self):
        return [self.name]


def measured_one(answer, metrics):
    service = MeasuredServices(Scripted(answer), metrics).get("fraud")
    assert service is not None
    return service


def counted(metrics, operation, outcome):
    labels = {"service": "fraud", "operation": operation, "outcome": outcome}
    return metrics.registry.get_sample_value("service_request_seconds_count", labels)


@pytest.mark.parametrize("operation", ["do", "undo", "ask", "load"])
async def test_a_call_is_passed_on_and_counted(operation):
    metrics, said = Metrics(), ServiceDone(result={"a": 1})
    service = measured_one(said, metrics)

    call = LOAD if operation == "load" else CALL
    assert await getattr(service, operation)(call) is said
    assert service.policy.attempts == 3
    assert counted(metrics, operation, "done") == 1


async def test_what_raises_is_counted_as_an_error():
    metrics = Metrics()
    service = measured_one(OSError("gone"), metrics)

    with pytest.raises(OSError, match="gone"):
        await service.do(CALL)

    assert counted(metrics, "do", "error") == 1


def test_every_answer_has_a_word():
    answers = {
        each
        for union in (DoAnswer, UndoAnswer, AskAnswer, LoadAnswer)
        for each in get_args(union)
    }

    assert {*measured._OUTCOMES} == answers


def test_no_services_are_none():
    services = MeasuredServices(NoServices(), Metrics())

    assert services.names() == []
    assert services.get("fraud") is None
    found = MeasuredServices(Scripted(ServiceUnclear(because="?")), Metrics())
    assert found.names() == ["fraud"]
