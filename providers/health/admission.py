"""The keeper of one process: asks breaker, calendar, pauses and budgets of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from fsm.domain.rates import Rate
from handlers.ports.admission import FREE, Admission, NotAdmitted, NotAdmittedCode
from handlers.ports.clock import Clock
from handlers.ports.controls import Control, FleetView, Heartbeat
from providers.health.breaker import Breaker, BreakerState, BreakerTerms, TrackedCreate
from providers.health.budget import Budget, Pacer
from providers.health.calendar import Weekly, ends_at
from providers.health.window import CreateOutcome

LEASE: Final = timedelta(seconds=5)
"""So long a replica may go on without having heard of the others."""
WAIT_MIN: Final = timedelta(seconds=1)
WAIT_MAX: Final = timedelta(minutes=5)
AWAY_SHARE: Final = 0.25
"""Who waits looks again after this share of the time it was kept out already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a provider's table says about new work.

    ``in_flight_here`` is for this process, ``rate`` and ``in_flight`` are for all
    replicas together. ``patience`` is how long an order waits for it while another
    provider could be tried; ``release`` how many a second try again after that.
    """

    timeout: timedelta
    breaker: BreakerTerms
    in_flight_here: int
    rate: Rate | None = None
    in_flight: int | None = None
    maintenance: tuple[Weekly, ...] = ()
    patience: timedelta = timedelta(seconds=30)
    release: float = 20.0
    silence_max: timedelta = timedelta(minutes=15)


class Listener(Protocol):
    """Is told what the keeper does; never fails, never waits."""

    def kept_out(self, provider: str, code: NotAdmittedCode) -> None:
        """A new attempt was not let in."""
        ...

    def turned(self, provider: str, state: str, because: str) -> None:
        """The provider is given new work again, or no longer."""
        ...


class NobodyListens:
    """Hears nothing."""

    def kept_out(self, provider: str, code: NotAdmittedCode) -> None:
        """Ignore it."""

    def turned(self, provider: str, state: str, because: str) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Away:
    """Why a provider gets no new work at all, for how long, and since when."""

    code: NotAdmittedCode
    state: str
    because: str
    left: timedelta
    so_far: timedelta
    outlasts: bool


_READY: Final = BreakerState.CLOSED.value


class _Place:
    """An admission: gives back the places it has taken, once."""

    def __init__(self, provider: "_Provider", *, tries: bool) -> None:
        self._provider: _Provider | None = provider
        self._tries = tries

    def give_back(self) -> None:
        if self._provider is not None:
            self._provider.taken -= 1
            if self._tries:
                self._provider.breaker.tried()
            self._provider = None


class _Provider:
    """All that this process knows of one provider."""

    def __init__(self, name: str, terms: Terms, clock: Clock, me: str) -> None:
        self.name = name
        self.terms = terms
        self.breaker = Breaker(terms.breaker, clock.elapsed)
        self.budget = Budget(terms.rate, clock.elapsed) if terms.rate else None
        self.taken = 0
        self.places: int | None = None if terms.in_flight is None else 0
        self.paused: Control | None = None
        self.shown: str = BreakerState.CLOSED
        self._clock = clock
        self._me = me
        self._alone = True
        self._worse: Sequence[Heartbeat] = ()
        self._silent_until = 0.0
        self._turns = {code: Pacer(clock.elapsed) for code in NotAdmittedCode}

    def away(self) -> _Away | None:
        """Return why nobody gets in, None where somebody may."""
        state = self.breaker.state()
        if state is BreakerState.CLOSED and not self._has_word():
            return None
        now = self._clock.now()
        return (
            self._paused(now)
            or self._maintained(now)
            or self._silent()
            or self._broken(state)
            or self._broken_elsewhere(state, now)
        )

    def _has_word(self) -> bool:
        """True where anything but its own calls may keep it from new work."""
        return bool(
            self.paused or self._worse or self._silent_until or self.terms.maintenance
        )

    def full(self, *, waited: bool) -> NotAdmitted | None:
        """Return why one more must queue, None where it was let in: its token is taken.

        Who comes for the first time gets in behind those who wait already.
        """
        terms, turns = self.terms, self._turns[NotAdmittedCode.LIMITED]
        soon = WAIT_MIN.total_seconds()
        if self.taken >= terms.in_flight_here:
            return self._queued(f"{self.taken} creates are in flight here", soon)
        if self.places is not None and self.taken >= self.places:
            return self._queued(f"its share of {terms.in_flight} in flight", soon)
        if self.budget is None:
            return None
        if not waited and turns.are_waited_for and not self.budget.is_full():
            return self._queued("others wait for its rate", 0.0)
        if not self.budget.take():
            return self._queued("its rate is used up", self.budget.wait())
        return None

    def _queued(self, because: str, after: float) -> NotAdmitted:
        pace = self.terms.release
        if self.budget is not None and self.budget.a_second:
            pace = min(pace, self.budget.a_second)
        wait = self._turns[NotAdmittedCode.LIMITED].next(after, pace)
        return NotAdmitted(
            code=NotAdmittedCode.LIMITED, because=because, wait=timedelta(seconds=wait)
        )

    def shut(self, away: _Away) -> NotAdmitted:
        """Return when to look again: soon after a short absence, later after a long."""
        look = max(WAIT_MIN, min(away.so_far * AWAY_SHARE, WAIT_MAX))
        if away.left:
            look = min(away.left, WAIT_MAX)
        wait = self._turns[away.code].next(look.total_seconds(), self.terms.release)
        return NotAdmitted(
            code=away.code,
            because=away.because,
            wait=timedelta(seconds=wait),
            outlasts=away.outlasts,
        )

    def silence(self) -> timedelta:
        """Return for how long it has asked to be left alone."""
        left = self._silent_until - self._clock.elapsed()
        return timedelta(seconds=max(0.0, left))

    def back_off(self, after: timedelta) -> timedelta:
        """Leave it alone for so long, within reason; return for how long that is."""
        granted = min(after, self.terms.silence_max)
        until = self._clock.elapsed() + granted.total_seconds()
        self._silent_until = max(self._silent_until, until)
        return granted

    def heard(self, fleet_view: FleetView) -> None:
        """Take in what the others say, and one's share of the limits."""
        self.paused = fleet_view.paused.get(self.name)
        beats = fleet_view.beats.get(self.name, ())
        others = [beat for beat in beats if beat.replica != self._me]
        self._alone = not others
        self._worse = [b for b in others if b.silent_until or b.state != _READY]
        replicas = sorted(beat.replica for beat in beats)
        if self._me not in replicas or self._is_new(beats):
            self.share(0, 0)
        else:
            self.share(replicas.index(self._me), len(replicas))

    def share(self, place: int, among: int) -> None:
        """Take the share of one of so many replicas; of none: nothing."""
        if self.budget is not None:
            self.budget.share(1 / among if among else 0.0)
        if self.terms.in_flight is not None:
            whole, rest = divmod(self.terms.in_flight, among) if among else (0, 0)
            self.places = whole + (place < rest)

    def beat(self) -> Heartbeat:
        """Say how this process finds it."""
        now, state = self._clock.now(), self.breaker.state()
        counts, silence = self.breaker.counts(), self.silence()
        failing = timedelta(seconds=self.breaker.failing_for())
        left = timedelta(seconds=self.breaker.left())
        return Heartbeat(
            provider=self.name,
            replica=self._me,
            state=state,
            since=None if state is BreakerState.CLOSED else now - failing,
            open_until=now + left if left else None,
            silent_until=now + silence if silence else None,
            in_flight=self.breaker.in_flight,
            calls=counts.calls,
            failed=counts.failed,
            refused=counts.refused,
        )

    def _is_new(self, beats: Sequence[Heartbeat]) -> bool:
        """True until the others must have heard, and what they had sent is over."""
        joined = next((b.joined_at for b in beats if b.replica == self._me), None)
        if joined is None or self._alone:
            return False
        return self._clock.now() < joined + LEASE + self.terms.timeout

    def _paused(self, now: datetime) -> _Away | None:
        control = self.paused
        if control is None or not control.holds(now):
            return None
        return _Away(
            code=NotAdmittedCode.PAUSED,
            state="paused",
            because=f"paused by {control.by}: {control.reason}",
            left=timedelta(0) if control.until is None else control.until - now,
            so_far=now - control.at,
            outlasts=True,
        )

    def _maintained(self, now: datetime) -> _Away | None:
        end = ends_at(self.terms.maintenance, now) if self.terms.maintenance else None
        if end is None:
            return None
        left = end - now
        return _Away(
            code=NotAdmittedCode.PAUSED,
            state="paused",
            because=f"maintenance until {end:%Y-%m-%dT%H:%MZ}",
            left=left,
            so_far=timedelta(0),
            outlasts=left > self.terms.patience,
        )

    def _silent(self) -> _Away | None:
        left = self.silence()
        if not left:
            return None
        return self._unavailable(
            "it has asked to be left alone", BreakerState.OPEN, left, timedelta(0)
        )

    def _broken(self, state: BreakerState) -> _Away | None:
        if state is BreakerState.CLOSED or self.breaker.may_try():
            return None
        return self._unavailable(
            "its calls fail" if state is BreakerState.OPEN else "it is being tried",
            state,
            timedelta(seconds=self.breaker.left()),
            timedelta(seconds=self.breaker.failing_for()),
        )

    def _broken_elsewhere(self, state: BreakerState, now: datetime) -> _Away | None:
        """Follow what other replicas have found out; they also try it again."""
        if state is not BreakerState.CLOSED:
            return None
        for beat in self._worse:
            left = max(_left(beat.open_until, now), _left(beat.silent_until, now))
            if beat.state != BreakerState.CLOSED or left:
                since = now if beat.since is None else beat.since
                return self._unavailable(
                    "its calls to another replica fail",
                    BreakerState.OPEN if left else BreakerState.HALF_OPEN,
                    left,
                    now - since,
                )
        return None

    def _unavailable(
        self, because: str, state: str, left: timedelta, so_far: timedelta
    ) -> _Away:
        return _Away(
            code=NotAdmittedCode.UNAVAILABLE,
            state=state,
            because=because,
            left=left,
            so_far=so_far,
            outlasts=max(left, so_far) > self.terms.patience,
        )


def _left(until: datetime | None, now: datetime) -> timedelta:
    return timedelta(0) if until is None else max(timedelta(0), until - now)


_HOW: Final[Mapping[str, str]] = {
    BreakerState.CLOSED: "it is given new work",
    BreakerState.HALF_OPEN: "a few creates are sent to try it",
    BreakerState.OPEN: "its calls fail",
}


class AdmissionControl:
    """Implements ``ports.gate.Gate``: all providers of one process."""

    def __init__(
        self,
        terms: Mapping[str, Terms],
        clock: Clock,
        *,
        replica: str,
        listener: Listener | None = None,
    ) -> None:
        self.replica: Final = replica
        self._clock = clock
        self._listener = listener or NobodyListens()
        self._heard_at = clock.elapsed()
        self._providers = {
            name: _Provider(name, each, clock, replica) for name, each in terms.items()
        }

    def admit(self, provider: str, *, waited: bool = False) -> Admission | NotAdmitted:
        """Ask for one new attempt."""
        known = self._providers.get(provider)
        if known is None:
            return FREE
        self._forget_old_shares()
        away = known.away()
        shut = known.full(waited=waited) if away is None else known.shut(away)
        if shut is not None:
            self._listener.kept_out(provider, shut.code)
            self._show(known, away)
            return shut
        return self._let_in(known)

    def repeat(self, provider: str) -> Admission | NotAdmitted:
        """Ask for the repeat of a create that may have arrived."""
        known = self._providers.get(provider)
        if known is None:
            return FREE
        away = known.away()
        if away is not None:
            return known.shut(away)
        if known.budget is not None:
            known.budget.overdraw()
        return self._let_in(known)

    def admits(self, provider: str) -> bool:
        """True where a new attempt would be let in now, or only has to queue."""
        known = self._providers.get(provider)
        return (
            known is not None
            and known.away() is None
            and known.breaker.state() is BreakerState.CLOSED
        )

    def silence(self, provider: str) -> timedelta:
        """Return for how long the provider has asked to be left alone."""
        known = self._providers.get(provider)
        return timedelta(0) if known is None else known.silence()

    def began(self, provider: str) -> TrackedCreate:
        """Note that a create is being sent."""
        return self._providers[provider].breaker.began()

    def ended(
        self, provider: str, call: TrackedCreate, heard: CreateOutcome | None
    ) -> None:
        """Note what it came to; None says nothing about the provider."""
        known = self._providers[provider]
        known.breaker.ended(call, heard)
        self._show(known, known.away())

    def back_off(self, provider: str, after: timedelta) -> timedelta:
        """Leave a provider alone for as long as it asks, within reason."""
        return self._providers[provider].back_off(after)

    def names(self) -> Sequence[str]:
        """Return the providers that it keeps."""
        return [*self._providers]

    def states(self) -> Mapping[str, str]:
        """Return what each provider was found to be last, by name."""
        return {name: known.shown for name, known in self._providers.items()}

    def beats(self) -> Sequence[Heartbeat]:
        """Say how this process finds its providers."""
        return [known.beat() for known in self._providers.values()]

    def heard(self, fleet_view: FleetView) -> None:
        """Take in what all replicas have said."""
        self._heard_at = self._clock.elapsed()
        for known in self._providers.values():
            known.heard(fleet_view)
            self._show(known, known.away())

    def _let_in(self, known: _Provider) -> Admission:
        tries = known.breaker.may_try()
        known.taken += 1
        if tries:
            known.breaker.tries()
        return _Place(known, tries=tries)

    def _forget_old_shares(self) -> None:
        """Use no share of a limit that others may have been given since."""
        if self._clock.elapsed() - self._heard_at > LEASE.total_seconds():
            for known in self._providers.values():
                known.share(0, 0)

    def _show(self, known: _Provider, away: _Away | None) -> None:
        state = known.breaker.state() if away is None else away.state
        if state != known.shown:
            known.shown = state
            self._listener.turned(
                known.name, state, _HOW[state] if away is None else away.because
            )
