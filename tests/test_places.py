"""Every test stands beside what it tests: its folder is the path of its module.

``payment_service`` is left out of that path, as the storey that has the most rooms.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = sorted(
    file.relative_to(ROOT / "tests") for file in (ROOT / "tests").rglob("test_*.py")
)
# What is shown of no single room of the source: the folder says by what means.
PROOFS = {
    "chaos": "faults on real processes",
    "containers": "the image and the compose file, replayed",
    "crashes": "crash points on real servers",
    "docs": "a page says what is so",
    "documents": "OpenAPI and AsyncAPI, linted, and a client made of them",
    "field": "servers and poolers as people have them",
    "fuzz": "invented input",
    "model": "every state of small worlds",
    "ops": "what operators touch",
    "planted": "deliberate bugs, and who catches them",
    "processes": "real processes, killed and starved",
    "service": "the whole service, in one process",
    "simulation": "days of faults under virtual time",
    "tampering": "a database changed by another hand, and who finds it",
}
# Of the repository or of the tests as a whole.
OF_ALL = {
    "test_again.py",
    "test_conftest.py",
    "test_forks.py",
    "test_order.py",
    "test_places.py",
    "test_rooms.py",
    "test_sampling.py",
    "test_tidy.py",
}


def test_every_test_stands_beside_what_it_tests():
    assert [str(test) for test in TESTS if not _is_beside(test)] == []


def test_no_proof_is_named_that_is_none():
    assert [each for each in PROOFS if not (ROOT / "tests" / each).is_dir()] == []


def _is_beside(test):
    if test.name in OF_ALL:
        return test.parent == Path()
    # A module of the process that has no room of its own is tested at the top.
    room = test.parent if test.parts[1:] else Path(test.name.removeprefix("test_"))
    return (
        room.parts[0] in PROOFS
        or (ROOT / room).exists()
        or (ROOT / "payment_service" / room).exists()
    )
