"""Explains from the audit trail how each task came to stand where it does.

Pure, and at the time of reading: nothing is stored for it, and nothing else asked. Each
task is told in the words of its lifecycle.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fsm.domain.audit import AuditLine
from fsm.domain.masking import masked_text
from fsm.domain.orders import Order
from fsm.domain.proposals import IN_WORDS, PROPOSED_FROM_SHELL
from fsm.engine.flow import Rules
from fsm.engine.rows import Task
from fsm.engine.sentences import NOT_TRIED, Sentences
from fsm.engine.words import Source, State

_SAID: Final = ("code", "message", "reason")
_EVIDENCE: Final = {"http_status": "HTTP", "status": "status", "code": "code"}
_REPEATED: Final = "{0} ({1} times)"
ARROW: Final = " → "


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: its story in sentences, and the line that proves its end.

    ``proof`` is None while nothing is proven, and where it was never tried.
    """

    task: Task
    because: Sequence[str]
    proof: AuditLine | None

    @property
    def words(self) -> str:
        """The whole story in one line."""
        return f"{name_of(self.task)}: {ARROW.join(self.because)}"


def name_of(task: Task) -> str:
    """Return whom a task asks, as people know them."""
    return task.name or task.provider or ""


def explain(order: Order, trail: Sequence[AuditLine], rules: Rules) -> list[Attempt]:
    """Tell the story of every attempt, without what must not be seen."""
    lines: dict[str, list[AuditLine]] = {}
    for line in trail:
        about = line.detail.get("task_id") if _is_proposal(line) else line.task_id
        if isinstance(about, str):
            lines.setdefault(about, []).append(line)
    return [
        _attempt(task, lines.get(task.task_id, []), rules.of(task).sentences)
        for task in order.queue.tasks
    ]


def proposals(trail: Sequence[AuditLine]) -> list[str]:
    """Tell what was proposed without a key; the latest last."""
    return [_proposed(line) for line in trail if _is_proposal(line)]


def in_words(attempts: Sequence[Attempt]) -> str:
    """Return the whole order's story in one line."""
    return ARROW.join(attempt.words for attempt in attempts)


def _attempt(task: Task, lines: Sequence[AuditLine], words: Sentences) -> Attempt:
    story = [*_told(lines, words)]
    if task.state is State.PENDING and not story:
        story = [NOT_TRIED]
    waits = words.waiting(task)
    if waits is not None:
        story.append(waits)
    return Attempt(task=task, because=_counted(story), proof=words.proof(task, lines))


def _is_proposal(line: AuditLine) -> bool:
    return line.trigger == PROPOSED_FROM_SHELL


def _proposed(line: AuditLine) -> str:
    """Say who proposed what: whatever the name is, nobody has checked it."""
    decision = str(line.detail.get("decision"))
    what = IN_WORDS.get(decision, decision)
    return masked_text(
        f"{line.actor} proposed from a shell, which is no vote: {what}: "
        f"{line.detail.get('reason')}"
    )


def _told(lines: Sequence[AuditLine], words: Sentences) -> Iterator[str]:
    for n, line in enumerate(lines):
        plain = words.of(line.trigger)
        if _is_proposal(line):
            yield _proposed(line)
        elif plain is not None:
            yield _sentence(line, plain, words) + words.remark(line, lines[:n])


def _sentence(line: AuditLine, plain: str, words: Sentences) -> str:
    said = [str(line.detail[n]) for n in _SAID if line.detail.get(n)]
    text = f"{plain}: {', '.join(said)}" if said else plain
    heard = _heard(line, words)
    return masked_text(f"{text} ({heard})" if heard else text)


def _heard(line: AuditLine, words: Sentences) -> str:
    """Say where it was heard, and what exactly."""
    evidence = line.detail.get("evidence")
    if not isinstance(evidence, Mapping) or not evidence:
        return ""
    if line.detail.get("source") == Source.WEBHOOK:
        return f"webhook {evidence.get('event_id')}"
    told = [f"{w} {evidence[n]}" for n, w in _EVIDENCE.items() if n in evidence]
    return f"{words.question(line)} answered {', '.join(told)}" if told else ""


def _counted(story: Sequence[str]) -> list[str]:
    """Tell what happened several times in a row once."""
    told: list[tuple[str, int]] = []
    for sentence in story:
        if told and told[-1][0] == sentence:
            told[-1] = (sentence, told[-1][1] + 1)
        else:
            told.append((sentence, 1))
    return [_REPEATED.format(s, n) if n > 1 else s for s, n in told]
