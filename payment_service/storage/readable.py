"""Rows with words that this version may not know: unknown flows, states and waits."""

from collections.abc import Iterator
from typing import Any

import orjson

from fsm.domain.errors import UnknownWords, UnreadableRow
from fsm.domain.orders import Order
from fsm.engine.flow import Rules
from fsm.engine.words import EngineWait, Kind, OrderState, State, Verdict
from fsm.flows import RULES
from payment_service.storage.rows import order_from


def readable(queue_id: str, text: str, rules: Rules = RULES) -> Order | UnreadableRow:
    """A row that this version cannot read must not harm those loaded beside it."""
    try:
        return order_from(text, rules)
    except (ValueError, KeyError, TypeError) as error:
        unknown = sorted({*unknown_words(orjson.loads(text), known_words(rules))})
        if unknown:
            return UnknownWords(queue_id, unknown)
        return UnreadableRow(queue_id, str(error))


def known_words(rules: Rules) -> frozenset[str]:
    """Return every word that rows may hold to be read by these rules."""
    words = [
        *(f"kind {each}" for each in Kind),
        *(f"order state {each}" for each in OrderState),
        *(f"order wait {each}" for each in (EngineWait.LOAD, EngineWait.NOTIFICATION)),
        *(f"state {each}" for each in State),
        *(f"verdict {each}" for each in Verdict),
    ]
    for (kind, version), flow in rules.flows.items():
        words.append(f"flow {kind}@{version}")
        words += [f"step {kind}@{version}/{n}" for n in range(len(flow.steps))]
    for name, lifecycle in rules.lifecycles.items():
        words.append(f"lifecycle {name}")
        words += [f"wait {name}/{wait}" for wait in lifecycle.words]
    return frozenset(words)


def unknown_words(row: Any, known: frozenset[str]) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Name what is not known of an order's rows, as the LOAD statement returns them.

    What a word that is not known says more of is not looked at.
    """
    flow = f"{row['kind']}@{row['flow_version']}"
    yield from _first_unknown(known, f"kind {row['kind']}", f"flow {flow}")
    yield from _first_unknown(known, f"order state {row['state']}")
    if row["waiting_for"]:
        yield from _first_unknown(known, f"order wait {row['waiting_for']}")
    for task in row["tasks"] or ():
        if f"flow {flow}" in known:
            yield from _first_unknown(known, f"step {flow}/{task['step']}")
        name, waits = task["lifecycle"], task["waiting_for"]
        more = [f"wait {name}/{waits}"] if waits else []
        yield from _first_unknown(known, f"lifecycle {name}", *more)
        yield from _first_unknown(known, f"state {task['state']}")
        if task["verdict"]:
            yield from _first_unknown(known, f"verdict {task['verdict']}")


def _first_unknown(known: frozenset[str], *words: str) -> list[str]:
    return [word for word in words if word not in known][:1]
