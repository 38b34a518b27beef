"""Judges who sent what only a forwarder may send: by signature, or by trust."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from fsm.domain import messages as subjects
from fsm.domain.dead_letters import REPLAY_OF
from fsm.domain.errors import InvalidRequest
from handlers.ports.bus import Delivery
from handlers.ports.provider import Rejected
from payment_service.wiring.trust import Trust
from providers.config import Config
from providers.config.forwarders import ForwarderTable, Power
from providers.signatures import Verifier

NAME: Final = "X-Forwarder"
REPLAYED: Final = (
    "it was replayed, and a replay vouches for nobody: have the forwarder send it again"
)
SIGNED: Final = (
    subjects.WEBHOOK_RECEIVED,
    subjects.TASK_CANCEL,
    subjects.QUEUE_CANCEL,
    subjects.WITHDRAWAL_CANCEL,
)
WORDS: Final[Mapping[Power, str]] = {"webhooks": "forward webhooks", "cancel": "cancel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarder:
    """Who may speak; its ``checks`` by subject, none where NATS is trusted."""

    name: str
    providers: frozenset[str]
    may: frozenset[Power]
    checks: Mapping[str, Verifier]

    @classmethod
    def of(cls, table: ForwarderTable) -> Self:
        """Make it as its table says."""
        signs = table.trust is None
        return cls(
            name=table.name,
            providers=frozenset(table.providers),
            may=frozenset(table.may),
            checks={subject: table.verifier(subject) for subject in SIGNED if signs},
        )


@dataclass(frozen=True, slots=True)
class Forwarders:
    """All who may speak; nobody, unless the configuration says so."""

    by_name: Mapping[str, Forwarder] = field(default_factory=dict)
    trust: Trust = field(default_factory=Trust)

    @classmethod
    def of(cls, config: Config, trust: Trust | None = None) -> Self:
        """Make those of the configuration, with what is known of NATS."""
        named = {n: Forwarder.of(table) for n, table in config.forwarders.items()}
        return cls(named, trust or Trust())

    @staticmethod
    def is_named(delivery: Delivery) -> bool:
        """Tell whether a message says that a forwarder sent it."""
        return delivery.header(NAME) is not None

    def sender(self, delivery: Delivery, power: Power, now: datetime) -> Forwarder:
        """Return who sent it, if it may do so and that is proven.

        A signature is judged by when the stream took the message: one that waited
        for us has not aged, and one that is published again has.

        :raises InvalidRequest: it is nobody's, or it is not proven whose.
        :raises NotAsked: whether NATS may be trusted is not known yet.
        """
        if delivery.header(REPLAY_OF) is not None:
            raise InvalidRequest(REPLAYED)
        found = self._named(delivery, power)
        if power not in found.may:
            raise InvalidRequest(f"forwarder {found.name} may not {WORDS[power]}")
        if found.checks:
            at = min(delivery.stored_at or now, now)
            check = found.checks[delivery.subject]
            said = check.verify(_values(delivery), delivery.body, at)
            if isinstance(said, Rejected):
                why = said.reason.replace("_", " ")
                raise InvalidRequest(
                    f"the signature of forwarder {found.name} does not hold: {why}"
                )
        else:
            self.trust.require(delivery, now)
        return found

    def _named(self, delivery: Delivery, power: Power) -> Forwarder:
        name = delivery.header(NAME)
        if name is None:
            return self._trusted(power)
        found = self.by_name.get(name)
        if found is None:
            raise InvalidRequest(f"{NAME} names nobody of [forwarders.*]")
        return found

    def _trusted(self, power: Power) -> Forwarder:
        """Return the one who needs no name, because nobody else may publish there."""
        trusted = [f for f in self.by_name.values() if not f.checks and power in f.may]
        if len(trusted) != 1:
            raise InvalidRequest(
                f"nobody may {WORDS[power]} without {NAME}, see [forwarders.*]"
            )
        return trusted[0]


def _values(delivery: Delivery) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in delivery.headers.items():
        values.setdefault(name.lower(), []).append(value)
    return values
