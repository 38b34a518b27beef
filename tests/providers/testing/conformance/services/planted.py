"""Services that break a promise each; the kit has to catch every one of them."""

import asyncio

from providers.testing.simulator import SimulatedServices, StepState
from providers.testing.simulator.service_answers import step_answer
from providers.testing.simulator.wire import BadCallError, reply


def operation_of(request, path):
    """Return what a call is: `do`, `undo`, `ask` or `load`."""
    if path[0] == "load":
        return "load"
    if request.method == "GET":
        return "ask"
    return "undo" if path[-1] == "reverse" else "do"


class Right(SimulatedServices):
    """The simulated services by another name, for others to spoil."""

    async def handle(self, request, name, path):
        answer = await super().handle(request, name, path)
        return self.spoilt(operation_of(request, path), answer)

    def spoilt(self, operation, answer):
        del operation
        return answer

    def forget(self, asked):
        known = self.book.steps.pop((asked.step, asked.task_id), None)
        if known is not None:
            self.book.steps[asked.step, f"forgotten {len(self.book.steps)}"] = known


class NoResult(Right):
    def spoilt(self, operation, answer):
        done = operation == "do" and answer.status == 200
        return reply({"status": "done"}) if done else answer


class ForgetsItsKeys(Right):
    async def _do_as_scripted(self, request, asked, key):
        self.forget(asked)
        return await super()._do_as_scripted(request, asked, key)


class AnotherResultEachTime(Right):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.count = 0

    def spoilt(self, operation, answer):
        self.count += 1
        done = operation == "do" and answer.status == 200
        return reply({"result": {"try": self.count}}) if done else answer


class OnlyOneAtATime(Right):
    """It takes a key that is under way for a conflict, and calls that final."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.under_way = set()

    async def handle(self, request, name, path):
        key = request.headers.get("Idempotency-Key")
        if key in self.under_way and key is not None:
            return reply({"code": "in_progress", "message": "wait"}, status=409)
        self.under_way.add(key)
        try:
            await asyncio.sleep(0.2)
            return await super().handle(request, name, path)
        finally:
            self.under_way.discard(key)


class TakesWhatItCannotRead(Right):
    async def handle(self, request, name, path):
        try:
            return await super().handle(request, name, path)
        except BadCallError:
            if operation_of(request, path) != "do":
                raise
            return reply({"result": {}})


class UndoesEverything(Right):
    async def _undo(self, request, service, step):
        for booked in list(self.book.steps.values()):
            if booked.state is StepState.DONE:
                self.book.move(booked, StepState.UNDONE, at=self._now())
        return await super()._undo(request, service, step)


class KnowsEverything(Right):
    async def handle(self, request, name, path):
        try:
            return await super().handle(request, name, path)
        except BadCallError:
            if operation_of(request, path) != "ask":
                raise
            return reply({"status": "done"})


class SaysOnlyPending(Right):
    def spoilt(self, operation, answer):
        return reply({"status": "pending"}) if operation == "ask" else answer


class ForgetsWhatItDid(Right):
    def spoilt(self, operation, answer):
        if operation == "ask":
            raise BadCallError("no such step", status=404, code="not_found")
        return answer


class TellsAnotherResult(Right):
    def spoilt(self, operation, answer):
        told = {"status": "done", "result": {"id": "another"}}
        return reply(told) if operation == "ask" else answer


class UndoesNothing(Right):
    """It says yes to an undo, and goes on as if it had not been asked."""

    async def _undo(self, request, service, step):
        del request, service, step
        return reply({})


class UndoesOnce(Right):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.seen = set()

    async def handle(self, request, name, path):
        key = request.headers.get("Idempotency-Key", "")
        if key.endswith(":undo") and key in self.seen:
            return reply({"code": "undone_before"}, status=409)
        self.seen.add(key)
        return await super().handle(request, name, path)


class UndoesOnlyWhatItDid(Right):
    async def handle(self, request, name, path):
        key = request.headers.get("Idempotency-Key", "")
        task_id = key.partition(":")[0]
        if key.endswith(":undo") and (path[0], task_id) not in self.book.steps:
            return reply({"code": "not_done"}, status=409)
        return await super().handle(request, name, path)


class ForgetsWhatItUndid(Right):
    async def _do_as_scripted(self, request, asked, key):
        known = self.book.steps.get((asked.step, asked.task_id))
        if known is not None and known.state is StepState.UNDONE:
            self.forget(asked)
        return await super()._do_as_scripted(request, asked, key)


class AnswersLateDosFromMemory(Right):
    """It keeps the answer by key alone, whatever became of the step since."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.kept = {}

    async def _do_as_scripted(self, request, asked, key):
        if key in self.kept:
            return reply({"result": self.kept[key]})
        answer = await super()._do_as_scripted(request, asked, key)
        if answer.status == 200:
            self.kept[key] = dict(self.book.steps[asked.step, asked.task_id].result)
        return answer


class SaysDoneOfWhatIsUndone(Right):
    def spoilt(self, operation, answer):
        refused = operation == "ask" and b"undone" in bytes(answer.body)
        return reply({"status": "done"}) if refused else answer


class FinishesWhatWasUndone(Right):
    """It works on a do for a while, and an undo meanwhile finds nothing to undo."""

    async def _do_as_scripted(self, request, asked, key):
        await asyncio.sleep(0.2)
        known = self.book.steps.get((asked.step, asked.task_id))
        if known is not None and not known.times_done:
            self.forget(asked)
        return await super()._do_as_scripted(request, asked, key)


class NoCode(Right):
    def spoilt(self, operation, answer):
        refused = operation == "do" and answer.status == 422
        return reply({"message": "no"}, status=422) if refused else answer


class ChangesItsMind(Right):
    async def _do_as_scripted(self, request, asked, key):
        known = self.book.steps.get((asked.step, asked.task_id))
        if known is not None and known.state is StepState.REFUSED:
            self.book.move(known, StepState.DONE, at=self._now())
            return step_answer(known)
        return await super()._do_as_scripted(request, asked, key)


class UndoesNoRefusal(Right):
    async def _undo(self, request, service, step):
        task_id = request.headers["Idempotency-Key"].partition(":")[0]
        known = self.book.steps.get((step, task_id))
        if known is not None and known.state is StepState.REFUSED:
            return reply({"code": "not_done"}, status=409)
        return await super()._undo(request, service, step)


class RefusesWhatTakesLong(Right):
    def spoilt(self, operation, answer):
        late = operation == "do" and answer.status == 202
        return reply({"code": "timeout"}, status=409) if late else answer


class LoadsAList(Right):
    def spoilt(self, operation, answer):
        return reply([1]) if operation == "load" else answer
