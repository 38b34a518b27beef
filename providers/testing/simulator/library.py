"""The scripts that have a name, and how a name, a token or a table is read as one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from providers.testing.simulator.script import (
    FOREVER,
    Cancel,
    Mishap,
    PayoutState,
    Repeat,
    Script,
    ScriptStep,
    UnknownScriptError,
    changed,
)

TOKEN_PREFIX: Final = "tok_sim:"  # noqa: S105 - a script, not a secret
DAY_SECONDS: Final = 86_400.0

_QUIETLY_PAID: Final = ScriptStep(after=2, becomes=PayoutState.SUCCEEDED)
_QUIETLY_FAILED: Final = ScriptStep(after=2, becomes=PayoutState.FAILED)
_PAID: Final = replace(_QUIETLY_PAID, notice="payout.succeeded")
_FAILED: Final = replace(_QUIETLY_FAILED, notice="payout.failed")
# Webhooks that say what is not so, or not yet.
_SAYS_PAID: Final = ScriptStep(after=2, notice="payout.succeeded")
_SAYS_FAILED: Final = ScriptStep(after=2, notice="payout.failed")
_SAYS_ACCEPTED: Final = ScriptStep(after=2, notice="payout.accepted")


def _accepted(*steps: ScriptStep) -> Script:
    return Script(state=PayoutState.ACCEPTED, steps=steps)


def _later(step: ScriptStep) -> ScriptStep:
    return replace(step, after=step.after + 1)


_DECLINE: Final = Script(
    state=PayoutState.DECLINED, code="do_not_honor", message="declined by the provider"
)
_PROMPT: Final = _accepted(_PAID)
_QUIET: Final = _accepted(_QUIETLY_PAID)

_ANSWERED: Final = {
    "succeed": Script(),
    "decline": _DECLINE,
    "decline_unstored": replace(_DECLINE, stores_declines=False),
    "accept_then_succeed": _PROMPT,
    "accept_then_fail": replace(_accepted(_FAILED), code="account_closed"),
    "accept_silence": _accepted(),
    "silence_succeed": _QUIET,
    "silence_fail": replace(_accepted(_QUIETLY_FAILED), code="account_closed"),
    "declined_by_polling": replace(
        _accepted(replace(_QUIETLY_FAILED, becomes=PayoutState.DECLINED)),
        code="compliance",
    ),
    "paid_unseen": Script(says="accepted"),
    "unknown_word": Script(says="percolating"),
}

_LOST: Final = {
    "hang": Script(mishap=Mishap.HANG, mishap_times=FOREVER),
    "hang_once": Script(mishap=Mishap.HANG),
    "commit_hang": Script(mishap=Mishap.HANG, mishap_takes=True),
    "accept_hang": replace(_PROMPT, mishap=Mishap.HANG, mishap_takes=True),
    "decline_hang": replace(_DECLINE, mishap=Mishap.HANG, mishap_takes=True),
    "commit_502": Script(mishap=Mishap.ERROR, mishap_status=502, mishap_takes=True),
    "error_500": Script(mishap=Mishap.ERROR, mishap_times=FOREVER),
    "error_500_once": Script(mishap=Mishap.ERROR),
    "reset": Script(mishap=Mishap.RESET, mishap_times=FOREVER),
    "commit_reset": Script(mishap=Mishap.RESET, mishap_takes=True),
    "rate_limit": Script(mishap=Mishap.ERROR, mishap_status=429, retry_after=1),
    "drip": Script(mishap=Mishap.DRIP, mishap_takes=True, answer_after=0.1),
    "garbage": Script(mishap=Mishap.GARBAGE, mishap_takes=True),
    "huge": Script(mishap=Mishap.HUGE, mishap_takes=True),
}

_WEBHOOKS: Final = {
    "webhook_first": _accepted(replace(_PAID, after=0, before_answer=True)),
    "webhook_twice": _accepted(replace(_PAID, copies=2)),
    "out_of_order": _accepted(_PAID, _later(_SAYS_ACCEPTED)),
    "succeeded_then_failed": _accepted(_PAID, _later(_SAYS_FAILED)),
    # The provider breaks its word: the money leaves after it has told a no.
    "failed_then_succeeded": _accepted(_SAYS_FAILED, _later(_PAID)),
    "failed_then_false_success": _accepted(_FAILED, _later(_SAYS_PAID)),
    "wrong_amount": replace(_PROMPT, misreport_amount=-1),
    "wrong_currency": replace(_PROMPT, misreport_currency="XTS"),
    "forged_webhook": _accepted(replace(_SAYS_PAID, forged=True)),
    "days_late": _accepted(replace(_PAID, after=3 * DAY_SECONDS)),
    "return_after_success": Script(
        steps=(
            ScriptStep(after=4, becomes=PayoutState.RETURNED, notice="payout.returned"),
        )
    ),
}

_ASKED: Final = {
    "not_found_then_success": replace(_QUIET, hidden_for=2.0),
    "duplicate_error": Script(repeat=Repeat.CONFLICT),
    "duplicate_error_after_hang": Script(
        repeat=Repeat.CONFLICT, mishap=Mishap.HANG, mishap_takes=True
    ),
    "keys_expire": Script(remembers_for=1.0),
    "status_hang": replace(_QUIET, status_mishap=Mishap.HANG),
    "cancel_ok": _accepted(),
    "cancel_too_late": replace(_QUIET, cancel=Cancel.TOO_LATE),
    "cancel_hang": replace(_accepted(), cancel=Cancel.HANG),
}

SCRIPTS: Final[Mapping[str, Script]] = {
    name: replace(script, name=name)
    for name, script in (_ANSWERED | _LOST | _WEBHOOKS | _ASKED).items()
}


class Scripts:
    """The scripts by name: the ones above, and one's own, made from them by tables."""

    def __init__(self, own: Mapping[str, Mapping[str, object]] | None = None) -> None:
        self._named = dict(SCRIPTS)
        for name, fields in (own or {}).items():
            self._named[name] = replace(self.read(fields), name=name)

    def read(self, value: str | Mapping[str, object]) -> Script:
        """Read `name`, `name?field=value&field=value` or `{"base": name, field: …}`."""
        if isinstance(value, str):
            name, _, query = value.partition("?")
            parts = (part.partition("=") for part in query.split("&") if part)
            return changed(self._get(name), {field: text for field, _, text in parts})
        fields = dict(value)
        return changed(self._get(str(fields.pop("base", "succeed"))), fields)

    def of_token(self, token: str, provider: str) -> Script | None:
        """Read a destination token that says what shall happen, if it is one.

        `tok_sim:SCRIPT` is for every provider, `tok_sim:acme=SCRIPT,zeta=SCRIPT,*=…`
        for each its own; whatever follows a `#` only tells orders apart.
        """
        if not token.startswith(TOKEN_PREFIX):
            return None
        text = token.removeprefix(TOKEN_PREFIX).partition("#")[0]
        if "=" not in text.partition("?")[0]:
            return self.read(text)
        named = dict(part.partition("=")[::2] for part in text.split(","))
        chosen = named.get(provider, named.get("*"))
        return None if chosen is None else self.read(chosen)

    def _get(self, name: str) -> Script:
        try:
            return self._named[name]
        except KeyError:
            msg = f"no script is called {name!r}"
            raise UnknownScriptError(msg) from None
