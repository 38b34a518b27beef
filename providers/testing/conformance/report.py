"""Tells people, or programs, what the scenarios found."""

from collections.abc import Iterator, Sequence
from typing import Final

from providers.testing.conformance.runner import ScenarioOutcome

SHOWN_MAX: Final = 5


def lines_of(outcomes: Sequence[ScenarioOutcome]) -> Iterator[str]:
    """Return the report, line by line."""
    width = max((len(each.scenario.name) for each in outcomes), default=0)
    for each in outcomes:
        head = f"{_word(each):<6} {each.scenario.name:<{width}}  {each.scenario.proves}"
        yield head if each.not_here is None else f"{head} (not here: {each.not_here})"
        yield from _shown(each.wrong)
        yield from _shown([f"should: {advice}" for advice in each.should])
    yield summary_of(outcomes)


def _shown(found: Sequence[str]) -> Iterator[str]:
    yield from (f"         {each}" for each in found[:SHOWN_MAX])
    if (more := len(found) - SHOWN_MAX) > 0:
        yield f"         and {more} more"


def summary_of(outcomes: Sequence[ScenarioOutcome]) -> str:
    """Return the verdict in one line."""
    wrong = sum(1 for each in outcomes if each.wrong)
    absent = sum(1 for each in outcomes if each.not_here is not None)
    cases = sum(each.cases for each in outcomes)
    passed = len(outcomes) - wrong - absent
    return (
        f"{len(outcomes)} scenarios, {cases} cases: {passed} passed, {wrong} failed, "
        f"{absent} have no meaning here"
    )


def views_of(outcomes: Sequence[ScenarioOutcome]) -> list[dict[str, object]]:
    """Return the report as JSON has it."""
    return [
        {
            "scenario": each.scenario.name,
            "proves": each.scenario.proves,
            "ok": not each.wrong,
            "not_here": each.not_here,
            "cases": each.cases,
            "seconds": round(each.seconds, 3),
            "wrong": list(each.wrong),
            "should": list(each.should),
        }
        for each in outcomes
    ]


def _word(outcome: ScenarioOutcome) -> str:
    if outcome.wrong:
        return "WRONG"
    if outcome.should:
        return "should"
    return "ok" if outcome.not_here is None else "-"
