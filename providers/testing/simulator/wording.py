"""Says in words what a script does, from the very fields that it is played by."""

from collections.abc import Iterator

from providers.testing.simulator.script import (
    FOREVER,
    Cancel,
    Mishap,
    PayoutState,
    Repeat,
    Script,
    ScriptStep,
)

_FIRST = {
    PayoutState.SUCCEEDED: "succeeds at once",
    PayoutState.ACCEPTED: "accepts",
    PayoutState.DECLINED: "declines",
}
_LOST = {
    Mishap.HANG: "never answers",
    Mishap.RESET: "breaks the connection",
    Mishap.GARBAGE: "answers what nobody can read",
    Mishap.HUGE: "answers with megabytes",
    Mishap.DRIP: "answers byte by byte",
}


def in_words(script: Script) -> str:
    """Return a sentence without its full stop; times are those at scale 1."""
    return "; ".join(_parts(script))


def _parts(script: Script) -> Iterator[str]:
    takes = script.mishap is None or script.mishap_takes
    never = script.mishap_times >= FOREVER
    if script.mishap is not None:
        yield _mishap(script)
    if takes or not never:
        yield ("then " if not takes else "") + _FIRST.get(script.state, script.state)
    if script.says:
        yield f"says {script.says!r} of it, whatever is so"
    yield from map(_step, script.steps)
    yield from _asked(script)


def _mishap(script: Script) -> str:
    what = _LOST.get(script.mishap or Mishap.ERROR, f"answers {script.mishap_status}")
    if script.retry_after:
        what += f" with Retry-After: {script.retry_after}"
    if script.mishap_takes:
        return f"{what} once, though it has taken it"
    return f"{what} every time" if script.mishap_times >= FOREVER else f"{what} once"


def _step(step: ScriptStep) -> str:
    parts = []
    if step.becomes:
        parts.append(f"it has {step.becomes}")
    if step.notice:
        forged = "a forged " if step.forged else ""
        copies = f" {step.copies} times" if step.copies > 1 else ""
        parts.append(f"a webhook says {forged}{step.notice}{copies}")
    when = "before the answer" if step.before_answer else f"after {_time(step.after)}"
    return f"{when} {' and '.join(parts)}"


def _time(seconds: float) -> str:
    days = seconds / 86_400
    return f"{days:g} days" if days >= 1 else f"{seconds:g} s"


def _asked(script: Script) -> Iterator[str]:
    if script.hidden_for or script.hidden_asks:
        yield f"is not found for {_time(script.hidden_for)}"
    if script.status_mishap is Mishap.HANG:
        yield "never answers what became of it"
    if script.repeat is Repeat.CONFLICT:
        yield "answers a repeat with 409"
    if script.remembers_for < FOREVER:
        yield f"forgets the key after {_time(script.remembers_for)}"
    if not script.stores_declines:
        yield "forgets that it has declined"
    if script.cancel is not Cancel.OK:
        late = script.cancel is Cancel.TOO_LATE
        yield "is too late to cancel" if late else "never answers a cancel"
    if script.misreport_amount or script.misreport_currency:
        wrong = "amount" if script.misreport_amount else "currency"
        yield f"tells another {wrong} later"
