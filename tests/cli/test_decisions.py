"""Who decides at the command line: the holder of a key, and nobody else."""

import os
import pwd
import re

import pytest

from fsm.domain.proposals import PROPOSED_FROM_SHELL
from handlers.propose import PROPOSALS_MAX
from payment_service.cli.errors import WRONG_USAGE
from tests.cli.desk import LARGE, SMALL, WHY
from tests.cli.stage import ROOT, Here, Shell

NOBODY = "00000000-0000-7000-8000-000000000000"
BY_HAND = ("--settled-by-hand", "--evidence", "ticket 17")
CHANGING = (
    ("task", "resolve", NOBODY, "positive", *WHY),
    ("task", "withdraw", NOBODY, *WHY),
    ("task", "cancel", NOBODY, *WHY),
    ("order", "cancel", "x", *WHY),
    ("case", "settle", NOBODY, *WHY),
    ("case", "close", NOBODY, *WHY),
    ("case", "withdraw", NOBODY, *WHY),
    ("case", "assign", NOBODY, "--owner", "anna"),
    ("dlq", "replay", "--all"),
    ("dlq", "discard", NOBODY, *WHY),
    ("provider", "pause", "acme", *WHY),
    ("provider", "resume", "acme"),
)
"""Every command that changes something, as it is called."""
ODD_NAMES = ("", "a\nb", "x" * 300, "4111111111111111")


def proposed(desk, order):
    """Return who proposed what without a key."""
    return [
        (actor, detail["decision"])
        for trigger, actor, detail in desk.lines(order.queue_id)
        if trigger == "shell.proposed"
    ]


def case_of(desk, order):
    shell = desk.bare()
    (case,) = shell("case", "list", "--queue", order.queue_id, "--json").json["cases"]
    return case["id"]


# With a key: through the API, as its holder.


@pytest.mark.attack("shell", "A key decides as who holds it, whatever `LOGNAME` says")
def test_a_key_decides_as_who_holds_it_whatever_the_shell_is_called(desk):
    order = desk.check()
    task_id = order.queue.tasks[0].task_id
    anna = desk.holding("anna", Shell, LOGNAME="mallory", USER="mallory")

    answer = anna("task", "resolve", task_id, "positive", *WHY, "--json")

    assert answer.json == {"task_id": task_id, "status": "recorded"}
    assert desk.row(task_id)[1:3] == ("commit", "paid")
    assert desk.lines(order.queue_id)[-1][:2] == (
        "resolved.positive",
        "key:anna",
    )
    again = desk.holding("anna")("task", "resolve", task_id, "negative", *WHY)
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "not in MANUAL_CHECK" in again.err


@pytest.mark.attack("shell", "One key under many names of the shell is one person")
def test_one_key_under_many_names_is_one_person(desk):
    task_id = desk.check(LARGE).queue.tasks[0].task_id
    first = desk.holding("anna", LOGNAME="anna")
    again = desk.holding("anna", LOGNAME="bert", USER="bert", SUDO_USER="carl")

    told = first("task", "resolve", task_id, "positive", *WHY)
    second = again("task", "resolve", task_id, "positive", *WHY)

    assert "a second person must agree" in told.out
    assert second.code == 1
    assert "the same person cannot decide twice" in second.err
    assert desk.row(task_id)[:3] == ("MANUAL_CHECK", "decision", None)


@pytest.mark.attack("shell", "A person with two keys is one person at a terminal too")
def test_two_keys_of_one_person_are_one_person(desk):
    task_id = desk.check(LARGE).queue.tasks[0].task_id
    desk.holding("anna")("task", "resolve", task_id, "positive", *WHY)

    second = desk.holding("annas-other")("task", "resolve", task_id, "positive", *WHY)

    assert second.code == 1
    assert desk.row(task_id)[:3] == ("MANUAL_CHECK", "decision", None)


def test_two_keys_decide_what_is_large(desk):
    task_id = desk.check(LARGE).queue.tasks[0].task_id

    for name in ("anna", "bert"):
        answer = desk.holding(name)("task", "resolve", task_id, "positive", *WHY)
        assert answer.code == 0

    assert desk.row(task_id)[1:3] == ("commit", "paid")


def test_a_vote_is_withdrawn_by_who_gave_it(desk):
    task_id = desk.check(LARGE).queue.tasks[0].task_id
    anna, bert = desk.holding("anna"), desk.holding("bert")
    anna("task", "resolve", task_id, "positive", *WHY)

    others = bert("task", "withdraw", task_id, *WHY)
    own = anna("task", "withdraw", task_id, *WHY)

    assert (others.code, own.code) == (1, 0)
    assert own.out == f"{task_id}: withdrawn\n"
    assert desk.row(task_id)[4] is None


def test_an_order_and_a_task_are_cancelled(desk):
    order = desk.check()
    task_id = order.queue.tasks[0].task_id
    anna = desk.holding("anna")

    told = anna("order", "cancel", order.order_id, *WHY, "--json")

    assert told.json["status"] == "cancel_requested"
    assert desk.row(task_id)[3] is True
    assert anna("task", "cancel", task_id, *WHY).code == 0
    assert anna("order", "cancel", "nothing", *WHY).code == 1


@pytest.mark.attack(
    "role", "Who has ordered cancels its own orders at the command line, and no others"
)
def test_who_has_ordered_cancels_its_own_and_no_others(desk):
    order = desk.check()
    asked = ("order", "cancel", order.order_id, "--reason", "the customer asked")

    others = desk.holding("other-shop")(*asked)
    own = desk.holding("shop")(*asked)

    assert (others.code, own.code) == (1, 0)
    assert "no such order" in others.err
    assert desk.row(order.queue.tasks[0].task_id)[3] is True
    actors = [actor for _, actor, _ in desk.lines(order.queue_id)]
    assert "key:shop" in actors


def test_a_return_is_settled_and_a_case_closed(desk):
    settled, closed = (
        desk.orders["back"].pop(),
        desk.orders["back"].pop(),
    )
    anna = desk.holding("anna")
    first, second = case_of(desk, settled), case_of(desk, closed)

    assert "core is asked" in anna("case", "settle", first, *WHY).out
    assert anna("case", "close", second, *WHY, "--json").json["status"] == "closed"

    assert desk.case(first)[0] == "settling"
    assert desk.case(second) == ("closed", None, "key:anna")
    assert "is closed" in anna("case", "settle", second, *WHY).err


def test_a_vote_on_a_large_return_is_withdrawn(desk):
    (order,) = desk.orders["back-large"]
    case_id = case_of(desk, order)
    anna = desk.holding("anna")

    assert "a second person" in anna("case", "settle", case_id, *WHY).out
    assert anna("case", "withdraw", case_id, *WHY).code == 0
    assert desk.case(case_id)[0] == "open"


def test_a_case_is_shown_with_its_order_and_what_can_be_done(desk):
    (order, _) = desk.orders["back-shown"]
    whole = case_of(desk, order)
    shell = desk.bare()

    shown = shell("case", "show", whole, "--json").json
    told = shell("case", "show", whole[:30])

    assert shown["case"]["id"] == whole
    assert shown["case"]["kind"] == "return_after_success"
    assert shown["order"]["queue_id"] == order.queue_id
    assert shown["explanation"]
    does = [each["command"].split(" ")[:2] for each in shown["next"]]
    assert does == [["case", "assign"], ["case", "settle"], ["case", "close"]]
    assert told.code == 0
    for words in (whole, str(order.money), "Attempts", *does[1]):
        assert words in told.out
    assert f"at risk    {order.money}" in told.out
    assert shell("case", "show", NOBODY).code == 1


def test_a_case_is_assigned_by_the_beginning_of_its_id(desk):
    whole = case_of(desk, desk.orders["back-shown"][1])

    through = desk.holding("anna")("case", "assign", whole[:30], "--owner", "anna")
    assert (through.code, through.out) == (0, f"{whole} assigned\n")
    shell = desk.bare()("case", "assign", whole[:30], "--owner", "bert")
    assert (shell.code, shell.out) == (0, f"{whole} assigned\n")
    assert desk.case(whole)[1] == "bert"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("guest", ("task", "resolve", NOBODY, "positive", *WHY), "may not do this"),
        ("shop", ("task", "resolve", NOBODY, "positive", *WHY), "may not do this"),
        ("anna", ("provider", "pause", "acme", *WHY), "may not do this"),
        ("anna", ("task", "resolve", NOBODY, "positive", *WHY), "no such order or"),
        ("anna", ("case", "close", NOBODY, *WHY), "no such case"),
        ("anna", ("case", "settle", "..", *WHY), "is no id"),
        ("anna", ("dlq", "discard", NOBODY, *WHY), "no such dead letter"),
        ("boss", ("provider", "pause", "nobody", *WHY), "no such provider"),
    ],
)
def test_what_the_api_refuses_is_said_in_one_line(desk, name, arguments, said):
    answer = desk.holding(name)(*arguments)

    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert said in answer.err


# Without one: nothing but a line that counts for nothing.


@pytest.mark.attack(
    "shell",
    "Shells without a key settle nothing at any amount, whatever they are called",
)
@pytest.mark.parametrize("amount", [SMALL, LARGE])
def test_two_shells_of_different_names_decide_nothing(desk, amount):
    order = desk.check(amount)
    task_id = order.queue.tasks[0].task_id
    before = desk.row(task_id)

    for name in ("anna", "bert", "bert"):
        kind = Shell if (name, amount) == ("anna", LARGE) else Here
        shell = desk.bare(kind, LOGNAME=name, USER=name)
        answer = shell("task", "resolve", task_id, "negative", *WHY, "--json")
        told = {"task_id": task_id, "status": "proposed", "by": f"user:{name}"}
        assert (answer.code, answer.json) == (0, told)

    assert desk.row(task_id) == before
    names = [("user:anna", "negative"), ("user:bert", "negative")]
    assert proposed(desk, order) == names


def test_a_proposal_is_shown_and_said_to_be_none(desk):
    order = desk.check()
    task_id = order.queue.tasks[0].task_id
    shell = desk.bare(LOGNAME="anna")

    told = shell("task", "resolve", task_id, "positive", *WHY, *BY_HAND)

    assert "only proposed by user:anna: nothing has changed" in told.out
    assert "set PAYMENT_API_URL and PAYMENT_API_KEY" in told.out
    said = "user:anna proposed from a shell, which is no vote: it was settled by hand"
    assert said in shell("order", "show", order.order_id).out
    shown = shell("order", "show", order.order_id, "--json").json
    assert said in shown["proposals"][0]
    assert said in shown["attempts"][0]["words"]
    assert "as it was before" in (
        shell("task", "resolve", task_id, "positive", *WHY, *BY_HAND).out
    )


@pytest.mark.attack("shell", "What a shell proposes is no vote, and makes none void")
def test_a_proposal_makes_no_vote_void_and_adds_none(desk):
    order = desk.check(LARGE)
    task_id = order.queue.tasks[0].task_id
    anna, shell = desk.holding("anna"), desk.bare(LOGNAME="bert")
    anna("task", "resolve", task_id, "positive", *WHY)
    voted = desk.row(task_id)

    for ruling in ("positive", "negative"):
        assert shell("task", "resolve", task_id, ruling, *WHY).code == 0

    assert desk.row(task_id) == voted
    assert voted[4] == "anna"
    assert desk.holding("bert")("task", "resolve", task_id, "positive", *WHY).code == 0
    assert desk.row(task_id)[1] == "commit"


def test_what_is_proposed_about_orders_and_cases_changes_nothing(desk):
    paid = desk.orders["back"].pop()
    open_ = desk.check()
    case_id, task_id = case_of(desk, paid), open_.queue.tasks[0].task_id
    before = desk.row(task_id), desk.case(case_id)
    shell = desk.bare(LOGNAME="anna")

    for arguments in (
        ("order", "cancel", open_.order_id),
        ("task", "cancel", task_id),
        ("case", "settle", case_id),
        ("case", "close", case_id),
    ):
        assert "only proposed" in shell(*arguments, *WHY).out

    assert (desk.row(task_id), desk.case(case_id)) == before
    assert [what for _, what in proposed(desk, open_)] == ["cancel", "cancel"]
    assert [what for _, what in proposed(desk, paid)] == ["settle", "close"]


@pytest.mark.attack(
    "shell",
    "Leaving out the key or the address is refused, and makes nobody else of a person",
)
@pytest.mark.parametrize("left_out", ["PAYMENT_API_URL", "PAYMENT_API_KEY"])
@pytest.mark.parametrize("arguments", CHANGING)
def test_leaving_one_setting_out_makes_nobody_else(desk, arguments, left_out):
    shell = desk.bare(**{**desk.access("anna"), left_out: ""})

    answer = shell(*arguments)

    assert (answer.code, answer.out) == (2, "")
    assert f"{left_out} is missing" in answer.err


def test_a_wrong_key_proposes_nothing(desk):
    order = desk.check()
    task_id = order.queue.tasks[0].task_id
    before = desk.lines(order.queue_id)
    shell = desk.bare(**{**desk.access("anna"), "PAYMENT_API_KEY": "another-0123456"})

    answer = shell("task", "resolve", task_id, "negative", *WHY)

    assert answer.code == 2
    assert "PAYMENT_API_KEY" in answer.err
    assert "another" not in answer.err
    assert desk.lines(order.queue_id) == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("task", "resolve", NOBODY, "maybe", *WHY),
            2,
            "not one of 'positive', 'negative'",
        ),
        (("task", "resolve", NOBODY, "positive", "--reason", ""), 2, "--reason"),
        (
            ("task", "resolve", NOBODY, "positive", *WHY, "--settled-by-hand"),
            2,
            "--evidence: is needed",
        ),
        (("task", "resolve", NOBODY, "positive", *WHY), 1, f"or task {NOBODY!r}"),
        (("task", "cancel", NOBODY, "--reason", "4111111111111111"), 2, "card number"),
        (("task", "withdraw", NOBODY, *WHY), 2, "only the API can do this"),
        (("case", "withdraw", NOBODY, *WHY), 2, "only the API can do this"),
        (("order", "cancel", "none", *WHY), 1, "'none'"),
        (("case", "settle", NOBODY, *WHY), 1, f"no case {NOBODY!r}"),
        (("case", "close", NOBODY, *WHY), 1, f"no case {NOBODY!r}"),
        (("case", "assign", NOBODY, "--owner", "anna"), 1, f"no case {NOBODY!r}"),
        (("case", "assign", NOBODY, "--owner", ""), 2, "--owner"),
        (("case", "list", "--kind", "odd"), 2, "--kind"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(desk, arguments, code, said):
    answer = desk.bare()(*arguments)

    assert (answer.code, answer.err.count("\n")) == (code, 1)
    assert said in answer.err


def test_a_name_that_cannot_stand_in_the_trail_does_not(desk):
    order = desk.check()

    for name in ODD_NAMES:
        shell = desk.bare(LOGNAME=name, USER=name)
        assert shell("order", "cancel", order.queue_id, *WHY).code == 0

    own = f"user:{pwd.getpwuid(os.getuid()).pw_name}"
    assert {who for who, _ in proposed(desk, order)} == {own, "user:unknown"}


# What moves no money works without the API too.


def test_a_case_gets_an_owner_with_a_key_and_without(desk):
    case_id = case_of(desk, desk.orders["back-large"][0])

    assert desk.bare()("case", "assign", case_id, "--owner", "anna").code == 0
    assert desk.case(case_id)[1] == "anna"
    assert desk.holding("bert")("case", "assign", case_id, "--owner", "bert").code == 0
    assert desk.case(case_id)[1] == "bert"
    owned = desk.bare()("case", "list", "--owner", "bert", "--json").json["cases"]
    assert [case["money_at_risk"] for case in owned] == [LARGE]


def test_a_provider_is_paused_with_a_key_and_without(desk):
    boss, shell = desk.holding("boss"), desk.bare(LOGNAME="carl")

    paused = boss("provider", "pause", "zeta", *WHY, "--for", "2h")
    assert "zeta is paused for 2h" in paused.out
    assert "zeta is resumed" in shell("provider", "resume", "zeta").out
    assert shell("provider", "pause", "zeta", *WHY).code == 0
    assert boss("provider", "resume", "zeta", "--json").json["status"] == "resumed"

    told = shell("provider", "history", "zeta", "--json").json["history"]
    names = [each["by"] for each in told]
    assert names == ["key:boss", "user:carl", "user:carl", "key:boss"]


def test_who_cannot_reach_the_api_is_told_how_to_pause_without(desk):
    away = desk.bare(**{**desk.access("boss"), "PAYMENT_API_URL": "http://127.0.0.1:1"})

    answer = away("provider", "pause", "nova", *WHY)

    assert answer.code == 1
    assert "without both settings it is done in the database" in answer.err
    assert away("task", "resolve", NOBODY, "positive", *WHY).code == 1


def test_every_book_agrees_with_all_that_was_proposed(desk):
    answer = desk.bare()("verify", "--json")

    assert (answer.code, answer.json["offences"]) == (0, [])


def test_the_page_has_every_command_that_changes_something(desk):
    page = (ROOT / "docs/people.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    told = {
        said: set(re.findall(r"`(\w+ \w+)`", row[1]))
        for row in rows
        for said in ("proposed", "refused", "done in the database")
        if said in row[3]
    }

    assert set().union(*told.values()) == {" ".join(each[:2]) for each in CHANGING}
    for each in CHANGING:
        refused = " ".join(each[:2]) in told["refused"]
        assert (desk.bare()(*each).code == WRONG_USAGE) is refused
    assert f"{PROPOSALS_MAX} for an order" in page
    assert PROPOSED_FROM_SHELL in page
