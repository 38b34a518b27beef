import contextlib
import json
import math
from time import process_time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.errors import InvalidRequest
from fsm.domain.foreign_json import (
    DIGITS_MAX,
    read_foreign,
)
from fsm.domain.odd import Odd
from fsm.domain.strict_json import DEPTH_MAX, SIZE_MAX, parse_strict
from tests.fsm.domain.test_strict_json import TREES

DEEP = DEPTH_MAX + 8
NESTED = b"[" * DEEP + b"1" + b"]" * DEEP
ODD = {
    b'"x": 1, "x": 2': "is there twice",
    b'"x": {"a": 1}, "\\u0078": {"a": 1}': "is there twice",
    b'"x": "Malm\xf6"': "is not UTF-8",
    b'"x": "\xed\xa0\x80"': "is not UTF-8",
    b'"x": "\xc3"': "is not UTF-8",
    b'"x": "\\ud83d"': "holds half of a character",
    b'"x": "a\\u0000b"': "holds a NUL character",
    b'"x": "a\x00b"': "holds a NUL character",
    b'"x": NaN': "is no number",
    b'"x": -Infinity': "is no number",
    b'"x": 1e999': "is a number that is too long",
    b'"x": ' + b"9" * (DIGITS_MAX + 1): "is a number that is too long",
    b'"y": ' + NESTED + b', "x": NaN': "is nested deeper than 32",
}
WHOLE = {
    b'"x": 1180591620717411303424': 2**70,
    b'"x": -1180591620717411303424': -(2**70),
    b'"x": "two\nlines"': "two\nlines",
    b'"x": "\\ud83d\\ude00"': "\U0001f600",
    b'"\\ud800": 1, "x": 1': 1,
    b'"Malm\xf6": 1, "x": 1': 1,
}


def read_object(data):
    tree = read_foreign(data)
    assert isinstance(tree, dict)
    return tree


@pytest.mark.parametrize(("member", "problem"), ODD.items())
def test_what_is_odd_spoils_itself_alone(member, problem):
    tree = read_object(b'{"before": [1], ' + member + b', "after": {"b": "c"}}')

    assert isinstance(tree["x"], Odd)
    assert tree["x"].problem == problem
    assert (tree["before"], tree["after"]) == ([1], {"b": "c"})


@pytest.mark.parametrize(("member", "value"), WHOLE.items())
def test_what_has_one_meaning_is_read(member, value):
    assert read_object(b"{" + member + b"}")["x"] == value


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\r\n\0\0", b"\0" * 300, b" \0\n"])
def test_a_mark_before_and_padding_after_are_no_part_of_it(before, after):
    assert read_foreign(before + b'{"a": "\xc3\xa9"}' + after) == {"a": "\xe9"}


def test_what_is_too_deep_is_one_value_and_the_rest_counts():
    tree = read_object(
        b'{"deep": ' + NESTED + b', "a": 1, "more": {"b": ' + NESTED + b"}}"
    )

    assert tree["a"] == 1
    assert "nested deeper" in repr(tree["deep"])
    assert "nested deeper" in repr(tree["more"])


def test_brackets_in_texts_are_no_depth():
    text = '"[' * 40
    data = json.dumps({"a": [text], "b": math.nan}).encode()

    assert read_object(data)["a"] == [text]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no JSON at byte 0"),
        (b"{", "no JSON at byte 1"),
        (b'{"a": "\xe9", oops}', "no JSON at byte 11"),
        (b'\xef\xbb\xbf{"a": tok_secret}', "no JSON at byte 9"),
        (b'{"a": 1} // x', "no JSON at byte 9: extra data"),
        (b'{"a": 1,}', "no JSON at byte"),
        (b"{'a': 1}", "no JSON at byte 1"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16: JSON is UTF-8"),
        ('{"a": 1}'.encode("utf-32"), "UTF-32: JSON is UTF-8"),
        (b"[" * 100_000, "byte 100000: it ends before it is complete"),
        (b'{"a": ' + b"[" * 50 + b"}", "byte 56: a bracket does not fit"),
        (b'"' + b"x" * SIZE_MAX, "over 262144 bytes"),
    ],
)
def test_what_is_no_json_is_told_by_its_place_and_not_shown(data, problem):
    with pytest.raises(InvalidRequest, match=problem) as refused:
        read_foreign(data)
    assert "tok_secret" not in refused.value.problem


@given(TREES)
def test_every_tree_comes_back_as_it_was(tree):
    data = orjson.dumps(tree)
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        assert read_foreign(data) == parse_strict(data) == tree


JSON_SIGNS = '{}[]":,\\u0d8e-+.19aNI\n \ufeff\0\xe9'


@given(st.text(alphabet=JSON_SIGNS, max_size=60) | st.binary(max_size=200))
def test_what_is_read_is_what_others_read(text):
    data = text if isinstance(text, bytes) else text.encode("latin-1", "replace")
    try:
        tree = read_foreign(data)
    except InvalidRequest:
        return
    plain = data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\0 \t\r\n")
    others = json.loads(plain.decode("utf-8", "surrogateescape"), strict=False)
    assert agrees(tree, others)


def agrees(ours, theirs):
    if isinstance(ours, Odd):
        return True
    if isinstance(ours, dict):
        same = isinstance(theirs, dict) and list(ours) == list(theirs)
        return same and all(agrees(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list):
        same = isinstance(theirs, list) and len(ours) == len(theirs)
        return same and all(map(agrees, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


HOSTILE = [
    b'"' + b'\\"' * 120_000,
    b'{"a":' + b"9" * 250_000 + b"}",
    b'{"a": NaN, "b": 0.' + b"9" * 250_000 + b"}",
    b"[" * 33 + b"[]," * 80_000,
    b'{"a":[' * 20_000 + b"]}" * 20_000,
    b"{" + b'"a":1,' * 40_000 + b'"a":1}',
    b"{" + b",".join(b'"%d":1' % (n % 10_000) for n in range(25_000)) + b"}",
    b"\xff" * 260_000,
    b'"' + b"\\ud800" * 43_000 + b'"',
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_nobody_makes_it_work_for_long(data):
    assert len(data) <= SIZE_MAX
    begun = process_time()
    with contextlib.suppress(InvalidRequest):
        read_foreign(data)
    # Some 40 ms here; what grows with the square would take minutes.
    assert process_time() - begun < 2
