"""The core service as the contract has it: a real ledger behind real HTTP, with faults.

Its own append-only book, not the caller's word, says whether the money is right.
"""

import argparse
import asyncio
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from aiohttp import web

from providers.testing.simulator.faults import Faults, InjectedFault
from providers.testing.simulator.journal import Journal
from providers.testing.simulator.memberships import MemberRefused, Memberships
from providers.testing.simulator.wire import (
    BadCallError,
    Endpoint,
    Json,
    amount_in,
    body_of,
    currency_in,
    page_of,
    reply,
    rfc3339,
    serve_until_told_to_stop,
    text_in,
)

INITIAL_BALANCE: Final = 10**15
FINAL_EVENTS: Final = frozenset({"completed", "failed", "cancelled"})


class LedgerOperation(StrEnum):
    FREEZE = "freeze"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    RETURN = "return"


_OPERATIONS: Final = frozenset(LedgerOperation)


class Standing(StrEnum):
    """Where a task stands with the ledger."""

    FROZEN = "frozen"
    COMMITTED = "committed"
    RETURNED = "returned"  # committed, and taken back in
    ROLLED_BACK = "rolled_back"  # also where there was nothing to roll back
    REFUSED = "refused"  # its freeze was


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCall:
    """A balance call: who asks for how much; the same for all of a task's."""

    task_id: str
    queue_id: str
    order_id: str
    merchant_id: str
    provider: str
    terminal_id: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceEntry:
    """An effect on the ledger. Whatever has none is not in the book."""

    at: float
    operation: LedgerOperation
    call: LedgerCall


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRefusal:
    status: int
    code: str
    message: str


@dataclass(slots=True)
class Account:
    """One merchant's money in one currency: the parts always add up to `initial`."""

    initial: int
    available: int
    frozen: int = 0
    paid_out: int = 0

    def apply(self, operation: LedgerOperation, amount: int) -> None:
        match operation:
            case LedgerOperation.FREEZE:
                self.available -= amount
                self.frozen += amount
            case LedgerOperation.COMMIT:
                self.frozen -= amount
                self.paid_out += amount
            case LedgerOperation.ROLLBACK:
                self.frozen -= amount
                self.available += amount
            case LedgerOperation.RETURN:
                self.paid_out -= amount
                self.available += amount

    def faults(self) -> Iterator[str]:
        if min(self.available, self.frozen, self.paid_out) < 0:
            yield f"a part is below zero: {self}"
        if self.available + self.frozen + self.paid_out != self.initial:
            yield f"does not add up: {self}"


@dataclass(slots=True, kw_only=True)
class Notification:
    """What core was told about an order, and how often."""

    body: Json
    at: float
    count: int = 0
    bodies_differ: bool = False


@dataclass(slots=True)
class _Task:
    call: LedgerCall
    standing: Standing
    refusal: LedgerRefusal | None = None


@dataclass(frozen=True, slots=True)
class _Funds:
    """What merchants start with: by `merchant`, and all others `initial`."""

    initial: int = INITIAL_BALANCE
    merchants: Mapping[str, int] = field(default_factory=dict)

    def open(self, merchant_id: str) -> Account:
        initial = self.merchants.get(merchant_id, self.initial)
        return Account(initial, initial)


_ROLLED_BACK: Final = LedgerRefusal(
    status=409, code="rolled_back", message="the hold was rolled back"
)
_COMMITTED: Final = LedgerRefusal(
    status=409, code="committed", message="the hold was committed"
)
_NOT_FROZEN: Final = LedgerRefusal(
    status=409, code="not_frozen", message="there was never a hold"
)
_MISMATCH: Final = LedgerRefusal(
    status=409, code="mismatch", message="the task came with other content before"
)
_NOT_COMMITTED: Final = LedgerRefusal(
    status=409, code="not_committed", message="nothing was paid out"
)
_REFUSED: Final[Mapping[tuple[LedgerOperation, Standing | None], LedgerRefusal]] = {
    (LedgerOperation.FREEZE, Standing.ROLLED_BACK): _ROLLED_BACK,
    (LedgerOperation.COMMIT, Standing.ROLLED_BACK): _ROLLED_BACK,
    (LedgerOperation.COMMIT, None): _NOT_FROZEN,
    (LedgerOperation.COMMIT, Standing.REFUSED): _NOT_FROZEN,
    (LedgerOperation.ROLLBACK, Standing.COMMITTED): _COMMITTED,
    (LedgerOperation.ROLLBACK, Standing.RETURNED): _COMMITTED,
    **{
        (LedgerOperation.RETURN, standing): _NOT_COMMITTED
        for standing in (
            None,
            Standing.FROZEN,
            Standing.ROLLED_BACK,
            Standing.REFUSED,
        )
    },
}
_POOR: Final = LedgerRefusal(
    status=422, code="insufficient_funds", message="not enough is available"
)


class Ledger:
    """Holds and payouts, by task; every operation may be repeated.

    A freeze that was refused stays so: its task may be over by the time of the repeat,
    and nobody would ever release the hold.
    """

    def __init__(self, journal: Journal, funds: _Funds) -> None:
        self._journal = journal
        self._funds = funds
        self._tasks: dict[str, _Task] = {}
        self.accounts: dict[tuple[str, str], Account] = {}
        self.entries: list[BalanceEntry] = []
        self.refusals: Counter[str] = Counter()

    def apply(
        self, operation: LedgerOperation, call: LedgerCall, *, at: float
    ) -> LedgerRefusal | None:
        """Do it, or say why not; None also where it was done before."""
        refusal = self._weigh(operation, call, at=at)
        if refusal is not None:
            self.refusals[f"{operation}.{refusal.code}"] += 1
        return refusal

    def refuse_freeze(
        self, call: LedgerCall, refusal: LedgerRefusal
    ) -> LedgerRefusal | None:
        """Refuse it for good, unless it is decided; return what stands."""
        known = self._tasks.get(call.task_id)
        if known is None:
            self._stand(call, Standing.REFUSED, refusal)
            return refusal
        return known.refusal

    def holds(self) -> dict[str, int]:
        return {
            task_id: task.call.amount
            for task_id, task in self._tasks.items()
            if task.standing is Standing.FROZEN
        }

    def standing(self, task_id: str) -> Standing | None:
        task = self._tasks.get(task_id)
        return None if task is None else task.standing

    def restore(self, line: Mapping[str, Any]) -> None:
        """Take in a line of the journal as it was written."""
        call = LedgerCall(**line["call"])
        if line["kind"] == "entry":
            operation = LedgerOperation(line["operation"])
            self._post(BalanceEntry(at=line["at"], operation=operation, call=call))
        else:
            refusal = LedgerRefusal(**line["refusal"]) if line["refusal"] else None
            standing = Standing(line["standing"])
            self._tasks[call.task_id] = _Task(call, standing, refusal)

    def _weigh(
        self, operation: LedgerOperation, call: LedgerCall, *, at: float
    ) -> LedgerRefusal | None:
        task = self._tasks.get(call.task_id)
        if task is not None and task.call != call:
            return _MISMATCH
        standing = None if task is None else task.standing
        if (operation, standing) in _REFUSED:
            return _REFUSED[operation, standing]
        match operation, standing:
            case LedgerOperation.FREEZE, None:
                return self._freeze(call, at=at)
            case LedgerOperation.FREEZE, Standing.REFUSED:
                return task.refusal if task else None
            case LedgerOperation.ROLLBACK, None | Standing.REFUSED:
                self._stand(call, Standing.ROLLED_BACK)
            case (
                LedgerOperation.COMMIT | LedgerOperation.ROLLBACK,
                Standing.FROZEN,
            ) | (
                LedgerOperation.RETURN,
                Standing.COMMITTED,
            ):
                self._write(BalanceEntry(at=at, operation=operation, call=call))
            case _:
                pass  # it is done already
        return None

    def _freeze(self, call: LedgerCall, *, at: float) -> LedgerRefusal | None:
        if self._account(call).available < call.amount:
            self._stand(call, Standing.REFUSED, _POOR)
            return _POOR
        self._write(BalanceEntry(at=at, operation=LedgerOperation.FREEZE, call=call))
        return None

    def _write(self, entry: BalanceEntry) -> None:
        self._journal.append({"kind": "entry", **asdict(entry)})
        self._post(entry)

    def _post(self, entry: BalanceEntry) -> None:
        self.entries.append(entry)
        self._account(entry.call).apply(entry.operation, entry.call.amount)
        self._tasks[entry.call.task_id] = _Task(entry.call, _AFTER[entry.operation])

    def _stand(
        self, call: LedgerCall, standing: Standing, refusal: LedgerRefusal | None = None
    ) -> None:
        line = {"call": call, "standing": standing, "refusal": refusal}
        self._journal.append({"kind": "standing", **line})
        self._tasks[call.task_id] = _Task(call, standing, refusal)

    def _account(self, call: LedgerCall) -> Account:
        whose = call.merchant_id, call.currency
        if whose not in self.accounts:
            self.accounts[whose] = self._funds.open(call.merchant_id)
        return self.accounts[whose]

    def check(self) -> list[str]:
        """Go through the book from its start, and say what is wrong with it."""
        return [*self._by_task(), *self._by_order(), *self._by_account()]

    def _by_task(self) -> Iterator[str]:
        histories: defaultdict[str, list[LedgerOperation]] = defaultdict(list)
        for entry in self.entries:
            histories[entry.call.task_id].append(entry.operation)
        for task_id, history in histories.items():
            if tuple(history) not in _LEGAL:
                yield f"task {task_id}: {' and '.join(history)}"

    def _by_order(self) -> Iterator[str]:
        open_holds: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        paid: Counter[tuple[str, str]] = Counter()
        for entry in self.entries:
            order = entry.call.merchant_id, entry.call.queue_id
            if entry.operation is LedgerOperation.FREEZE:
                open_holds[order].add(entry.call.task_id)
            else:
                open_holds[order].discard(entry.call.task_id)
            paid[order] += entry.operation is LedgerOperation.COMMIT
            if len(open_holds[order]) > 1:
                yield f"order {entry.call.order_id}: two holds at once"
            if entry.operation is LedgerOperation.COMMIT and paid[order] > 1:
                yield f"order {entry.call.order_id}: committed {paid[order]} times"

    def _by_account(self) -> Iterator[str]:
        again: dict[tuple[str, str], Account] = {}
        for entry in self.entries:
            whose = entry.call.merchant_id, entry.call.currency
            account = again.setdefault(whose, self._funds.open(whose[0]))
            account.apply(entry.operation, entry.call.amount)
        for whose, account in self.accounts.items():
            name = f"account {'/'.join(whose)}"
            yield from (f"{name} {fault}" for fault in account.faults())
            if account != again.get(whose, self._funds.open(whose[0])):
                yield f"{name} is not what its entries make of it"


_AFTER: Final = {
    LedgerOperation.FREEZE: Standing.FROZEN,
    LedgerOperation.COMMIT: Standing.COMMITTED,
    LedgerOperation.ROLLBACK: Standing.ROLLED_BACK,
    LedgerOperation.RETURN: Standing.RETURNED,
}
_LEGAL: Final = frozenset(
    {
        (LedgerOperation.FREEZE,),
        (LedgerOperation.FREEZE, LedgerOperation.COMMIT),
        (LedgerOperation.FREEZE, LedgerOperation.ROLLBACK),
        (LedgerOperation.FREEZE, LedgerOperation.COMMIT, LedgerOperation.RETURN),
    }
)


class SimulatedCore:
    """Core over HTTP; with a `book` file it goes on where a killed process stopped.

    Faults are for `freeze`, `commit`, `rollback`, `return`, `notification`, `entries`,
    `membership` and `revoke`, and may say `where` by any text field of the call.
    """

    def __init__(
        self,
        *,
        book: str | os.PathLike[str] | None = None,
        balances: Mapping[str, int] | None = None,
        initial: int = INITIAL_BALANCE,
        token: str = "",
        faults: Faults | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.faults = faults or Faults()
        self.notifications: dict[str, Notification] = {}
        self.book_of_members = Memberships()
        self._journal = Journal(book)
        self._token = token
        self._now = now
        self.ledger = Ledger(self._journal, _Funds(initial, balances or {}))
        self._endpoint = Endpoint(self._handle)
        for line in self._journal.read():
            self._restore(line)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        await self._endpoint.start(host, port)
        return self

    async def stop(self) -> None:
        await self._endpoint.stop()
        self._journal.close()

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def url(self) -> str:
        return self._endpoint.url

    # What an auditor asks.

    @property
    def entries(self) -> Sequence[BalanceEntry]:
        return self.ledger.entries

    def statement(self) -> list[Json]:
        """Return all entries as `GET /v1/balance/entries` shows them."""
        return [_shown(entry) for entry in self.entries]

    @property
    def memberships(self) -> dict[str, Json]:
        """What was granted, confirmed and revoked, by the task that asked for it."""
        return self.book_of_members.by_task

    def holds(self) -> dict[str, int]:
        """Return what is still frozen, by task."""
        return self.ledger.holds()

    def check(self) -> list[str]:
        """Return what is wrong, in words; empty: nothing."""
        members = self.book_of_members.check()
        return [*self.ledger.check(), *members, *self._contradicting_notifications()]

    def _contradicting_notifications(self) -> Iterator[str]:
        ends: dict[str, str] = {}
        for event_id, notification in self.notifications.items():
            if notification.bodies_differ:
                yield f"notification {event_id} came with different contents"
            kind, _, end = str(notification.body.get("type")).partition(".")
            if end not in FINAL_EVENTS:
                continue
            who = str(notification.body.get("merchant_id"))
            order = f"{who}/{kind}/{notification.body.get('order_id')}"
            if (first := ends.setdefault(order, event_id)) != event_id:
                yield f"order {order} ended twice: {first} and {event_id}"

    # The wire.

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.strip("/").split("/")
        if path[0] == "v1":
            self._authorise(request)
        match request.method, path:
            case "POST", ["v1", "balance", verb] if verb in _OPERATIONS:
                return await self._balance(request, LedgerOperation(verb))
            case "POST", ["v1", "notifications"]:
                return await self._notification(request)
            case "GET", ["v1", "balance", "entries"]:
                return await self._under_faults(
                    request, "entries", {}, lambda: self._entries(request)
                )
            case "POST", ["v1", "memberships"]:
                return await self._membership(request, ("grant", "confirm"))
            case "POST", ["v1", "memberships", "revoke"]:
                return await self._membership(request, ("revoke",))
            case _:
                return await self._admin(request, path)

    async def _admin(
        self, request: web.BaseRequest, path: list[str]
    ) -> web.StreamResponse:
        match request.method, path:
            case "POST", ["_faults"]:
                return reply(self.faults.configure(await body_of(request)))
            case "GET", ["_faults"]:
                return reply(self.faults.show())
            case "GET", ["_check"]:
                refusals = dict(self.ledger.refusals)
                return reply({"wrong": self.check(), "refusals": refusals})
            case "GET", ["_book"]:
                entries, cursor = page_of(
                    request, self.entries, at=lambda entry: entry.at, show=asdict
                )
                return reply({"entries": entries, "next_cursor": cursor})
            case "GET", ["_holds"]:
                return reply({"holds": self.holds()})
            case "GET", ["_notifications"]:
                return reply({"notifications": self.notifications})
            case _:
                raise BadCallError("there is nothing here", status=404, code="no_route")

    def _authorise(self, request: web.BaseRequest) -> None:
        bearer = f"Bearer {self._token}"
        if self._token and request.headers.get("Authorization") != bearer:
            raise BadCallError("the token is not ours", status=401, code="unauthorised")

    async def _balance(
        self, request: web.BaseRequest, operation: LedgerOperation
    ) -> web.StreamResponse:
        call = _call_from(await body_of(request))
        _need_key(request, f"{call.task_id}:{operation}")

        def act() -> web.Response:
            return _answer(
                operation, call, self.ledger.apply(operation, call, at=self._now())
            )

        def refuse(fault: InjectedFault) -> web.Response:
            refusal = LedgerRefusal(
                status=fault.status or _POOR.status,
                code=fault.code,
                message=fault.message,
            )
            if operation is not LedgerOperation.FREEZE:
                return _answer(operation, call, refusal)
            stands = self.ledger.refuse_freeze(call, refusal)
            return act() if stands is None else _answer(operation, call, stands)

        words = {name: str(value) for name, value in asdict(call).items()}
        return await self._under_faults(request, operation, words, act, refuse)

    async def _notification(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await body_of(request)
        event_id = _key_of(request)

        def act() -> web.Response:
            line = {"event_id": event_id, "at": self._now(), "body": body}
            self._journal.append({"kind": "notification", **line})
            self._notified(event_id, body, self._now())
            return reply({"event_id": event_id})

        return await self._under_faults(request, "notification", _words(body), act)

    def _notified(self, event_id: str, body: Json, at: float) -> None:
        fresh = Notification(body=body, at=at)
        known = self.notifications.setdefault(event_id, fresh)
        known.count += 1
        known.bodies_differ |= known.body != body

    async def _membership(
        self, request: web.BaseRequest, verbs: tuple[str, ...]
    ) -> web.StreamResponse:
        body = await body_of(request)
        task_id, _, verb = _key_of(request).rpartition(":")
        if verb not in verbs or text_in(body, "task_id") != task_id:
            raise BadCallError("the key is not task_id:verb", code="bad_key")
        if verb == "confirm" and body.get("provisional") is True:
            raise BadCallError("a confirmation is not provisional")

        def act() -> web.Response:
            try:
                self.book_of_members.require(verb, body)
            except MemberRefused as refused:
                told = {"code": refused.code, "message": str(refused)}
                return reply(told, status=409)
            self._journal.append({"kind": "membership", "verb": verb, "body": body})
            self.book_of_members.apply(verb, body)
            state = self.memberships[task_id]["state"]
            return reply({"task_id": task_id, "state": state})

        name = "revoke" if verb == "revoke" else "membership"
        return await self._under_faults(request, name, _words(body), act)

    def _entries(self, request: web.BaseRequest) -> web.Response:
        entries, cursor = page_of(
            request, self.entries, at=lambda entry: entry.at, show=_shown
        )
        return reply({"entries": entries, "next_cursor": cursor})

    async def _under_faults(
        self,
        request: web.BaseRequest,
        operation: str,
        call: Mapping[str, str],
        act: Callable[[], web.Response],
        refuse: Callable[[InjectedFault], web.StreamResponse] | None = None,
    ) -> web.StreamResponse:
        async def acting() -> web.Response:
            return act()

        return await self.faults.around(
            request, operation, call, act=acting, refuse=refuse
        )

    def _restore(self, line: Json) -> None:
        match line["kind"]:
            case "notification":
                self._notified(line["event_id"], line["body"], line["at"])
            case "membership":
                self.book_of_members.apply(line["verb"], line["body"])
            case _:
                self.ledger.restore(line)


def _call_from(body: Json) -> LedgerCall:
    return LedgerCall(
        task_id=text_in(body, "task_id"),
        queue_id=text_in(body, "queue_id"),
        order_id=text_in(body, "order_id"),
        merchant_id=text_in(body, "merchant_id"),
        provider=text_in(body, "provider", ""),
        terminal_id=text_in(body, "terminal_id", ""),
        amount=amount_in(body),
        currency=currency_in(body),
    )


def _key_of(request: web.BaseRequest) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise BadCallError("there is no Idempotency-Key", code="bad_key")
    return key


def _need_key(request: web.BaseRequest, wanted: str) -> None:
    if _key_of(request) != wanted:
        msg = f"the Idempotency-Key is not {wanted}"
        raise BadCallError(msg, code="bad_key")


def _words(body: Json) -> dict[str, str]:
    return {name: value for name, value in body.items() if isinstance(value, str)}


def _answer(
    operation: LedgerOperation, call: LedgerCall, refusal: LedgerRefusal | None
) -> web.Response:
    if refusal is not None:
        told = {"code": refusal.code, "message": refusal.message}
        return reply(told, status=refusal.status)
    done = {"task_id": call.task_id, "operation": operation}
    return reply(done | {"amount": call.amount, "currency": call.currency})


def _shown(entry: BalanceEntry) -> Json:
    return {
        "task_id": entry.call.task_id,
        "operation": entry.operation,
        "amount": entry.call.amount,
        "currency": entry.call.currency,
        "at": rfc3339(entry.at),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="The core service, simulated.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--book", help="the file that the book survives a kill in")
    parser.add_argument("--token", default="", help="the bearer token to ask for")
    parser.add_argument("--initial", type=int, default=INITIAL_BALANCE)
    parser.add_argument("--seed", type=int, default=0, help="of the faults' chance")
    asyncio.run(_run(parser.parse_args()))


async def _run(options: argparse.Namespace) -> None:
    core = SimulatedCore(
        book=options.book,
        token=options.token,
        initial=options.initial,
        faults=Faults(seed=options.seed),
    )

    async def start() -> Endpoint:
        await core.start(options.host, options.port)
        return core.endpoint

    await serve_until_told_to_stop(start, core.stop)


if __name__ == "__main__":
    main()
