"""Bugs in how what people do is written down: its line, its row, their one commit."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text, update

from fsm import decided
from fsm.domain.acts import Act
from payment_service.playground.memory import store as twin
from payment_service.storage import dead_letter_trail as letter_trail
from payment_service.storage import order_trail, service_trail
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.tables import CASES


def act_without_a_line(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any, **__: Any) -> None: ...

    patch.setattr(order_trail, "append", nothing)


def letter_without_a_line(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any, **__: Any) -> None: ...

    patch.setattr(letter_trail, "append", nothing)


def line_without_the_row(patch: pytest.MonkeyPatch) -> None:
    async def only_the_line(
        self: PostgresOperatorStore,
        case_id: str,
        act: Act,
        at: datetime,
        *_: Any,
        **__: Any,
    ) -> None:
        found = await self.case(case_id)
        async with self._database.connection() as connection:
            head = await order_trail.hold(connection, found.queue_id)
            assert head is not None
            await order_trail.append(connection, head, act, keys=self._keys, at=at)

    patch.setattr(PostgresOperatorStore, "_change_case", only_the_line)


def row_and_line_apart(patch: pytest.MonkeyPatch) -> None:
    async def in_two_commits(
        self: PostgresOperatorStore,
        case_id: str,
        act: Act,
        at: datetime,
        condition: Any,
        **values: Any,
    ) -> None:
        found = await self.case(case_id)
        async with self._database.connection() as connection:
            change = update(CASES).where(CASES.c.id == case_id, condition)
            await connection.execute(change.values(**values))
        async with self._database.connection() as connection:
            head = await order_trail.hold(connection, found.queue_id)
            assert head is not None
            await order_trail.append(connection, head, act, keys=self._keys, at=at)

    patch.setattr(PostgresOperatorStore, "_change_case", in_two_commits)


def nobody_waits_for_his_turn(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(service_trail, "TURN", text("SELECT 1"))


def the_version_stays(patch: pytest.MonkeyPatch) -> None:
    blind = str(order_trail.MOVE).replace("version = :version", "version = version")
    patch.setattr(order_trail, "MOVE", text(blind))


def rows_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decided, "_differs", lambda *_: False)


def the_twin_forgets_the_line(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(twin.MemoryStore, "_say", lambda *_: None)
