"""The small worlds of the engine: the chores, and other graphs of their lifecycles."""

from typing import Final

from fsm.engine.flow import Flow, StepSpec
from tests.fsm.chores import CHORES
from tests.model.errands import Household

WASH: Final = StepSpec(name="wash", lifecycle="wash", undo=True)
IRON: Final = StepSpec(name="iron", lifecycle="deaf", undo=True)
ALTERNATIVES_LAST: Final = ((0, "Ann"), (1, "Bob"), (2, "Cy"), (2, "Dee"))
ALTERNATIVES_FIRST: Final = ((0, "Ann"), (0, "Bob"), (1, "Cy"), (2, "Dee"))


def _flow(first: StepSpec, second: StepSpec, *after: str) -> Flow:
    """Return a flow whose last step is one of no return."""
    last = StepSpec(name="wear", lifecycle="work", after=after, point_of_no_return=True)
    return Flow(kind=CHORES.kind, version=CHORES.version, steps=(first, second, last))


AFTER_WASH: Final = StepSpec(name="iron", lifecycle="wash", after=("wash",), undo=True)
IN_TURN: Final = _flow(WASH, AFTER_WASH, "iron")
AT_ONCE: Final = _flow(WASH, IRON, "wash", "iron")

TOGETHER: Final = Household(name="at once", flow=AT_ONCE, helpers=ALTERNATIVES_LAST)
TURNS: Final = Household(name="in turn", flow=IN_TURN, helpers=ALTERNATIVES_LAST)
ALONE: Final = Household(name="chores, one worker", flow=CHORES, workers=1)
PAIR: Final = Household(name="chores, nobody gives up", flow=CHORES, cancels=False)
MAY_STAND: Final = Household(
    name="in turn, what is done may stand",
    flow=IN_TURN,
    helpers=ALTERNATIVES_FIRST,
    keeps=True,
    cancels=False,
)
HOUSEHOLDS: Final = (
    ALONE,
    PAIR,
    TURNS,
    MAY_STAND,
    TOGETHER,
)
WIDE: Final = (
    Household(name="chores", flow=CHORES),
    Household(name="chores, what is done may stand", flow=CHORES, keeps=True),
    Household(
        name="in turn, alternatives first",
        flow=IN_TURN,
        helpers=ALTERNATIVES_FIRST,
        keeps=True,
    ),
    Household(
        name="at once, alternatives first",
        flow=AT_ONCE,
        helpers=ALTERNATIVES_FIRST,
        keeps=True,
    ),
    Household(name="in turn, three workers", flow=IN_TURN, workers=3),
)
"""What takes a minute: searched by the command alone."""
