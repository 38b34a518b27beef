"""What the replay of a Dockerfile does not understand it refuses by name."""

import pytest

from tests.containers.dockerfile import NotUnderstoodError, instructions
from tests.containers.ignored import sent
from tests.containers.image import build
from tests.containers.machine import IMAGE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM x\nADD . /app", "line 2: ADD is not replayed"),
        ("FROM x\n\nRUN --mount=type=cache x", "line 3: RUN --mount is not replayed"),
        ("COPY --chown=1:1 a b", "line 1: COPY --chown is not replayed"),
    ],
)
def test_an_unknown_line_is_named(text, said):
    with pytest.raises(NotUnderstoodError, match=said):
        instructions(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM alpine", "line 1: FROM alpine; this machine can play python"),
        (f"FROM {IMAGE}\nENTRYPOINT run me", "line 2: ENTRYPOINT in the shell form"),
    ],
)
def test_a_line_that_means_something_else_here_is_named(tmp_path, text, said):
    (tmp_path / "base").mkdir()
    (tmp_path / "Dockerfile").write_text(text)
    (tmp_path / ".dockerignore").write_text("*")

    with pytest.raises(NotUnderstoodError, match=said):
        build(tmp_path, tmp_path, tmp_path / "base")


def test_a_stage_goes_on_where_another_one_ended(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / ".dockerignore").write_text("*\n!a\n!b")
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE} AS first\nENV X=1\nUSER 7:7\nCOPY a /a\n"
        "FROM first AS second\nCOPY b /b\nENV Y=2\nFROM first\nENV Z=3\n"
    )

    [last] = build(tmp_path, tmp_path / "1", tmp_path / "base").values()
    made = build(tmp_path, tmp_path / "2", tmp_path / "base", targets=["second"])

    second = made.pop("second")
    assert made == {}
    assert (second.uid, second.env["X"], second.env["Y"]) == (7, "1", "2")
    assert {path.name for path in second.root.iterdir()} == {"a", "b"}
    assert (last.uid, last.env["Z"], "Y" in last.env) == (7, "3", False)
    assert {path.name for path in last.root.iterdir()} == {"a"}
    assert [path.name for path in (tmp_path / "2").glob("stage-*")] == ["stage-1"]


def test_lines_go_on_after_a_backslash_and_past_comments():
    run, copy = instructions("RUN a \\\n# why\n    && b\nCOPY --from=x /c /d\n")

    assert (run.rest, run.line, run.argv[:2]) == ("a     && b", 1, ["/bin/sh", "-c"])
    assert (copy.flags, copy.words, copy.line) == ({"from": "x"}, ["/c", "/d"], 4)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", {"a.py", "b/c.py", "b/d/e.pyc"}),
        ("*\n!b\n**/*.pyc", {"b/c.py"}),
        ("b/d", {"a.py", "b/c.py"}),
        ("*\n!b/d", {"b/d/e.pyc"}),
        ("?.py\n# b\n", {"b/c.py", "b/d/e.pyc"}),
        ("**/d\n!**/e.pyc", {"a.py", "b/c.py", "b/d/e.pyc"}),
    ],
)
def test_the_last_rule_that_matches_decides(tmp_path, rules, expected):
    for name in ("a.py", "b/c.py", "b/d/e.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".dockerignore").write_text(rules)

    assert {str(path) for path in sent(tmp_path)} - {".dockerignore"} == expected
