"""What `make field` needs comes from where the machine's own packages come from."""

import pytest

from ops.field import __main__ as installing
from ops.field.programs import Missing, Program, newer_pgbouncer, path_of

OF_FIELDS = """\
Types: deb
# a remark
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/some.gpg
"""
IN_ONE_LINE = (
    "deb [arch=amd64 signed-by=/usr/share/keyrings/some.gpg] "
    "https://mirror.example/debian bookworm main contrib\n"
)


@pytest.fixture
def apt(tmp_path, monkeypatch):
    (tmp_path / "sources.list.d").mkdir()
    release = tmp_path / "os-release"
    release.write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    monkeypatch.setattr(installing, "APT", tmp_path)
    monkeypatch.setattr(installing, "RELEASE", release)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list.d/debian.sources", OF_FIELDS),
        ("sources.list", IN_ONE_LINE),
        ("sources.list.d/debian.list", IN_ONE_LINE),
    ],
)
def test_the_next_suite_comes_from_where_this_one_does(apt, name, text):
    (apt / name).write_text(text)

    lines = installing.next_source().splitlines()

    assert "Types: deb-src" in lines
    assert "URIs: https://mirror.example/debian" in lines
    assert "Suites: trixie" in lines
    assert "Signed-By: /usr/share/keyrings/some.gpg" in lines


def test_a_machine_without_such_a_source_is_told_so(apt):
    (apt / "sources.list").write_text("deb https://mirror.example/x nodistro main\n")

    with pytest.raises(Missing, match="no source of packages for bookworm"):
        installing.next_source()


def test_a_program_that_is_missing_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(Missing, match="apt-get install nothing; `make field`"):
        path_of(Program("nothing", "/usr/sbin/nothing-of-the-kind"))
    with pytest.raises(Missing, match="PgBouncer is missing: `make field`"):
        newer_pgbouncer()
