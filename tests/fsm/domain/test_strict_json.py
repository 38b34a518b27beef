import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.errors import InvalidRequest
from fsm.domain.strict_json import (
    DEPTH_MAX,
    SIZE_MAX,
    parse_strict,
    parse_unambiguous,
)

TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not strict JSON"),
        (b"{", "not strict JSON"),
        (b"{} {}", "not strict JSON"),
        (b"{'a': 1}", "not strict JSON"),
        (b'{"a": 1,}', "not strict JSON"),
        (b'{"a": NaN}', "not strict JSON"),
        (b'{"a": -Infinity}', "not strict JSON"),
        (b'{"a": 1e999}', "not strict JSON"),
        (b'{"a": 01}', "not strict JSON"),
        (b"\xef\xbb\xbf{}", "not strict JSON"),
        (b'{"a": "\xff"}', "not strict JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not strict JSON"),
        ('{"a": 1}'.encode("utf-16"), "not strict JSON"),
        (b'{"a": "\\ud800"}', "not strict JSON"),
        (b'{"a": "\\udc00\\ud800"}', "not strict JSON"),
        (b'{"a": "\x00"}', "not strict JSON"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'[[{"a": ["\\u0000"]}]]', "NUL"),
        (b'{"a": 1, "a": 1}', "same key twice"),
        (b'{"a": 1, "\\u0061": 2}', "same key twice"),
        (b'[{"b": {"a": 1, "a": 2}}]', "same key twice"),
        (b'{"a": 18446744073709551616}', "64 bits"),
        (b'{"a": -9223372036854775809}', "64 bits"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not strict JSON"),
        (b"[" * 33 + b"]" * 33, "nested deeper than 32"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper than 32"),
        (b"[" * 100_000, "not strict JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "not strict JSON"),
        (b'"' + b"x" * SIZE_MAX, "over 262144 bytes"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_a_reason(data, why):
    with pytest.raises(InvalidRequest, match=why) as refused:
        parse_strict(data)
    assert "\n" not in refused.value.problem


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"[" * 32 + b"]" * 32, None),
        (b'{"a":' * 31 + b"[]" + b"}" * 31, None),
        (b"[" + b",".join([b"[]"] * 1000) + b"]", [[]] * 1000),
        (b'"\\\\u0000"', "\\u0000"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"a": 18446744073709551615}', {"a": 2**64 - 1}),
        (b" 1 ", 1),
        (b"1e2", 100.0),
        (b'"' + b"x" * (SIZE_MAX - 2) + b'"', "x" * (SIZE_MAX - 2)),
    ],
)
def test_what_is_at_the_limit_is_read(data, value):
    assert parse_strict(data) == (json.loads(data) if value is None else value)


def test_an_integer_stays_an_integer_and_a_float_a_float():
    assert isinstance(parse_strict(b"1"), int)
    assert isinstance(parse_strict(b"1.0"), float)


@given(TREES)
def test_every_tree_comes_back_as_it_was(tree):
    data = orjson.dumps(tree)
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        assert parse_strict(data) == tree


@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused(data):
    try:
        parse_strict(data)
    except InvalidRequest:
        return


@given(st.text(alphabet='{}[]":,\\u0d8e-+.19aNI\n "', max_size=60))
def test_nearly_json_is_read_as_others_read_it_or_refused(text):
    data = text.encode()
    try:
        tree = parse_strict(data)
    except InvalidRequest:
        return
    assert tree == json.loads(data)


FLAT = st.dictionaries(
    st.text(max_size=4),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    max_size=4,
)


@given(TREES | FLAT)
def test_an_answer_is_read_as_the_lenient_parser_reads_it(tree):
    text = json.dumps(tree)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        with pytest.raises(ValueError, match=r"."):
            parse_unambiguous(text.encode())
        return

    read = parse_unambiguous(text.encode())

    assert repr(read) == repr(json.loads(text))


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "b": 2, "a": 1}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": ":", "a": 2}',
        b'{"b": {"a": 1, "a": 2}}',
        b'{"a": null, "b": [{"c": 1, "c": 1}]}',
    ],
)
def test_an_answer_that_says_something_twice_is_not_read(data):
    with pytest.raises(ValueError, match="same key twice"):
        parse_unambiguous(data)


def test_an_integer_of_an_answer_may_be_of_any_size():
    big = 2**64 + 1

    assert parse_unambiguous(b'{"a": %d}' % big) == {"a": big}
