"""`provider new` writes what works: what it asks for is asked, what it says is true."""

import re

import pytest

from providers.config import unfinished
from tests.cli.skeletons import check_it_is_its_own, run
from tests.cli.stage import ROOT

TODO = re.compile(r'^(\w+) = "(TODO.*)"$', re.MULTILINE)
NAME = "borealis"


@pytest.fixture(params=["toml", "python"])
def written(request, shell):
    """Give a new folder of each style."""
    answer = shell("provider", "new", NAME, "--style", request.param)
    assert answer.code == 0, answer
    return shell.folder / NAME


@pytest.fixture
def declared(shell):
    """Give a new folder with a table."""
    shell("provider", "new", NAME)
    return shell.folder / NAME


@pytest.fixture
def adapter(shell):
    """Give a new folder with an adapter."""
    shell("provider", "new", NAME, "--style", "python")
    return shell.folder / NAME


def filled_in(text):
    """Answer every TODO as it suggests, the way that a person would."""

    def answered(found):
        example = found[2].rpartition("such as ")[2].replace('\\"', '"')
        plain = example[0] not in "{["
        return f'{found[1]} = "{example}"' if plain else f"{found[1]} = {example}"

    return TODO.sub(answered, text)


def test_nothing_of_the_skeleton_is_left_and_it_lints(written):
    check_it_is_its_own(written)


def test_an_adapter_is_typed(adapter):
    config = str(ROOT / "pyproject.toml")

    done = run(adapter, "mypy", "--config-file", config, "--cache-dir", "c", NAME)

    assert done.returncode == 0, done.stdout


def test_a_new_table_is_refused_and_every_question_is_told(shell, declared):
    todos = TODO.findall((declared / "payment.toml").read_text())

    answer = shell(
        "doctor",
        PAYMENT_CONFIG=str(declared / "payment.toml"),
        BOREALIS_TOKEN="t",
    )

    assert answer.code == 2
    told = [line for line in answer.out.splitlines() if "is still to be" in line]
    assert len(told) == len(todos) > 5
    assert f"[providers.{NAME}] create.path: is still to be filled in: the path" in (
        answer.out
    )


def test_a_table_that_is_filled_in_passes_its_test(declared):
    table = declared / "payment.toml"
    refused = run(declared, "pytest", "-q", "-k", "create-accepted")
    table.write_text(filled_in(table.read_text()))

    done = run(declared, "pytest", "-q")

    assert refused.returncode == 1
    assert "is still to be filled in" in refused.stdout
    assert done.returncode == 0, done.stdout


def test_a_new_adapter_passes_its_test_as_it_stands(adapter):
    table = adapter / "payment.toml"

    done = run(adapter, "pytest", "-q")

    assert done.returncode == 0, done.stdout
    assert re.search(r"4\d passed", done.stdout)
    assert "TODO" in table.read_text()


def test_a_new_adapter_passes_the_check_that_its_readme_names(shell, adapter):
    command = "PYTHONPATH=. payment-service provider check borealis"

    answer = shell(
        "provider", "check", NAME, "--config", f"{NAME}/payment.toml",
        PYTHONPATH=f"{adapter}:{ROOT}",
    )  # fmt: skip

    assert answer.code == 0, answer
    assert command in (adapter / "README.md").read_text()


@pytest.mark.parametrize("name", ["Acme", "a-b", "1a", "", "../x"])
def test_a_name_that_is_none_is_refused(shell, name):
    answer = shell("provider", "new", "--", name)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert list(shell.folder.iterdir()) == []


def test_what_is_there_is_never_changed(shell, declared):
    (declared / "payment.toml").write_text("mine")

    answer = shell("provider", "new", NAME, "--style", "python")

    assert answer.code == 2
    assert "is there already" in answer.err
    assert (declared / "payment.toml").read_text() == "mine"


def test_an_open_end_is_found_wherever_it_is():
    raw = {"a": {"b": [{"c": "TODO: c"}]}, "d": "TODO", "e": "a TODO", "f": 1}

    assert list(unfinished.unfinished(raw)) == [
        ("a.b[0].c", "is still to be filled in: c"),
        ("d", "is still to be filled in: "),
    ]
