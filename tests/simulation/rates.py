"""The dials of the faults: each seed turns some up, and leaves others at zero."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Dials:
    """Chances from 0 to 1 for each occasion; rates for each day; times in µs."""

    # Messages: on publish, on delivery, on acknowledgement.
    lost: float = 0.0
    repeated: float = 0.0
    delayed: float = 0.0
    publish_refused: float = 0.0
    publish_unheard: float = 0.0
    ack_lost: float = 0.0
    timer_lost: float = 0.0
    timer_twice: float = 0.0
    timer_late: float = 0.0
    timer_early: float = 0.0
    bus_skew: int = 0
    # Processes: at each effect.
    dies_before: float = 0.0
    dies_after: float = 0.0
    pauses: float = 0.0
    # Neighbours: at each call.
    store_refused: float = 0.0
    store_unheard: float = 0.0
    core_refused: float = 0.0
    core_unheard: float = 0.0
    provider_unheard: float = 0.0
    provider_failed: float = 0.0
    provider_unsent: float = 0.0
    provider_slow: float = 0.0
    provider_shy: float = 0.0
    # What providers do unasked.
    webhook_lost: float = 0.0
    webhook_repeated: float = 0.0
    webhook_first: float = 0.0
    webhook_late: float = 0.0
    breaks_word: float = 0.0
    another_amount: float = 0.0
    strange_webhook: float = 0.0
    # What happens now and then: so many a day.
    bus_down: float = 0.0
    bus_wiped: float = 0.0
    core_down: float = 0.0
    store_down: float = 0.0
    provider_down: float = 0.0
    sweeper_off: float = 0.0
    killed: float = 0.0
    amnesia: float = 0.0
    letters_read: float = 0.0
    # What people do: the chance for each order.
    cancels: float = 0.0
    core_says_no: float = 0.0
    # What operators do to providers: so many times a day.
    provider_paused: float = 0.0


CALM: Final = Dials()

# The highest each dial goes.
HIGHEST: Final = Dials(
    lost=0.3,
    repeated=0.5,
    delayed=0.3,
    publish_refused=0.1,
    publish_unheard=0.1,
    ack_lost=0.2,
    timer_lost=1.0,
    timer_twice=0.5,
    timer_late=0.5,
    timer_early=0.5,
    bus_skew=10 * MINUTE,
    dies_before=0.02,
    dies_after=0.02,
    pauses=0.02,
    store_refused=0.1,
    store_unheard=0.1,
    core_refused=0.1,
    core_unheard=0.1,
    provider_unheard=0.3,
    provider_failed=0.2,
    provider_unsent=0.3,
    provider_slow=0.2,
    provider_shy=0.5,
    webhook_lost=0.5,
    webhook_repeated=0.5,
    webhook_first=0.5,
    webhook_late=0.3,
    breaks_word=0.2,
    another_amount=0.1,
    strange_webhook=0.1,
    bus_down=2.0,
    bus_wiped=2.0,
    core_down=2.0,
    store_down=2.0,
    provider_down=4.0,
    sweeper_off=2.0,
    killed=4.0,
    amnesia=1.0,
    letters_read=4.0,
    cancels=0.8,
    core_says_no=0.2,
    provider_paused=12.0,
)
OFF: Final = 0.5
CHECKOUTS_EVERY: Final = 3
CHARGES_EVERY: Final = 9
LINKS_EVERY: Final = 5
LINKS_AT: Final = 3
PROVIDERS: Final = ("acme", "zeta", "nova", "orbi", "kiwi", "luna")
# Drawn apart from the others, which for a known seed are as they always were.
LATER: Final = frozenset({"provider_paused"})
RARE: Final = frozenset(
    {"amnesia", "core_says_no", "another_amount", "strange_webhook"}
)


def dials(random: Random) -> Dials:
    """Draw the dials of a seed: about half of them at zero, few at their highest."""
    turned: dict[str, float] = {}
    for name in [name for name in Dials.__slots__ if name not in LATER]:
        off = 0.8 if name in RARE else OFF
        drawn, how_far = random.random(), random.random() ** 2
        highest = getattr(HIGHEST, name)
        if drawn >= off:
            turned[name] = highest * how_far
    if "bus_skew" in turned:
        turned["bus_skew"] = int(turned["bus_skew"] * random.choice((-1, 1)))
    return replace(CALM, **turned)  # type: ignore[arg-type]


def gated(random: Random, drawn: Dials, shape: "Setting") -> tuple[Dials, "Setting"]:
    """Put keepers at the gates of every other seed, and draw how often they shut."""
    if random.random() < OFF:
        return drawn, shape
    pauses = HIGHEST.provider_paused * random.random()
    return (
        replace(drawn, provider_paused=pauses if random.random() < OFF else 0.0),
        replace(shape, in_flight=random.choice((1, 2, 50))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The shape of a seed's world."""

    orders: int = 20
    checkouts: int = 0
    links: int = 0
    # How many payment providers collect for the checkouts; none: a service does.
    charging: int = 0
    workers: int = 3
    slots: int = 3
    ack_wait: int = 30 * SECOND
    beats: bool = True
    faulty: int = 2 * DAY
    providers: int = 4
    cascade_max: int = 6
    skew: int = 0
    old_version: str = ""
    four_eyes: bool = False
    max_deliver: int = 8
    # How many creates each keeper lets be under way; none: there are no keepers.
    in_flight: int = 0


def with_checkouts(seed: int, shape: Setting) -> Setting:
    """Have every third seed play checkouts beside its withdrawals.

    All others are as they always were, those among them that once found something.
    """
    if seed % CHECKOUTS_EVERY:
        return shape
    return replace(shape, checkouts=Random(f"{seed}:checkouts").choice((4, 8, 16)))


def with_charges(seed: int, shape: Setting) -> Setting:
    """Have two or three payment providers collect, in a third of those seeds."""
    if seed % CHARGES_EVERY or not shape.checkouts:
        return shape
    many = Random(f"{seed}:charges").choice((2, 3))
    return replace(shape, charging=min(many, shape.providers))


def with_links(seed: int, turned: Dials, shape: Setting) -> tuple[Dials, Setting]:
    """Have one seed of five link cards beside all else.

    Its database forgets nothing: what core has granted to a forgotten order nobody
    could tell from what was never asked for.
    """
    if seed % LINKS_EVERY != LINKS_AT:
        return turned, shape
    links = Random(f"{seed}:links").choice((6, 12, 24))
    return replace(turned, amnesia=0.0), replace(shape, links=links)


def setting(random: Random) -> Setting:
    """Draw the shape: from one quiet worker to four busy ones, from hours to months."""
    workers = random.choice((1, 2, 2, 3, 4))
    odd = random.choice(("", "", "blind", "limits", "unconfigured"))
    return Setting(
        workers=workers,
        slots=random.choice((1, 2, 4, 8)),
        ack_wait=random.choice((10, 20, 30)) * SECOND,
        beats=random.random() < 0.7,
        faulty=random.choice((HOUR, 6 * HOUR, DAY, 3 * DAY, 10 * DAY, 60 * DAY)),
        providers=random.randint(2, 6),
        cascade_max=random.choice((1, 2, 3, 4, 6)),
        skew=random.choice((0, 0, 20_000, 100_000)),
        # Alone it would only stand still.
        old_version="" if workers == 1 else odd,
        four_eyes=random.random() < 0.3,
        max_deliver=random.choice((3, 8)),
    )
