"""JSON read in pieces equals JSON read at once, and errors have the same text."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpr.errors import BPRError
from bpr.io import json_stream
from bpr.io.json_stream import JsonStream
from bpr.limits import check_depth

FIXED = settings(max_examples=80, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(["é", "東京", "🚗", '"\\\n']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
LAYOUTS: tuple[Callable[[Any], str], ...] = (
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    lambda value: f" \r\n\t{json.dumps(value, ensure_ascii=False, indent=2)}\n\n",
)
PUT = ("", "x", "}", ",", '"', "1")


def streamed(content: bytes, chunk: int) -> Any:
    """The whole document, read with the methods of a stream."""
    stream = JsonStream(io.BytesIO(content), "a file", chunk)
    if stream.peek() == "[":
        value: Any = list(stream.elements())
    else:
        value = {name: stream.value() for name in stream.names()} if stream.peek() == "{" else stream.value()
    stream.end()
    return value


def outcome(read: Callable[[], Any]) -> Any:
    """The value that was read, or the text of the error."""
    try:
        return read()
    except ValueError as error:
        return str(error)


@FIXED
@given(VALUES, st.sampled_from(LAYOUTS), st.integers(1, 9))
def test_any_json_in_chunks_of_any_size(value: Any, layout: Callable[[Any], str], chunk: int) -> None:
    assert streamed(layout(value).encode(), chunk) == value


@FIXED
@given(
    st.lists(VALUES, max_size=3),
    st.sampled_from(LAYOUTS),
    st.integers(1, 9),
    st.integers(0, 60),
    st.sampled_from(["", "x", "}", ",", '"', "1"]),
)
def test_errors_of_damaged_lists_equal_those_of_json(value: Any, layout: Callable[[Any], str], chunk: int, position: int, put: str) -> None:
    whole = layout(value).replace("\r", " ")
    damaged = whole[:position] + put + whole[position + 1 :]
    if damaged.lstrip().startswith("["):
        assert outcome(lambda: streamed(damaged.encode(), chunk)) == outcome(lambda: json.loads(damaged))


EDGE_CASES = (
    *(
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[1 2]",
        "[1]]",
        "[] []",
        "[tru",
        "[-",
        "[1.",
        "[1e",
        "[NaN, Infinity, -Infinity, 1e5, 1E400, -0.0]",
    ),
    *('["a', '["\\u12', '["\\ud83d\\ude0', '["\\x"]', '["\n"]', '[{"a":1,"a":2}]', "", " ", "nul", "3 4"),
    *("{", '{"a"', '{"a":', '{"a" 1}', '{"a":1', '{"a":1,', '{"a":1,}', "{1:2}"),
)


@pytest.mark.parametrize("text", EDGE_CASES)
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_edge_cases_equal_json(text: str, chunk: int) -> None:
    expected = outcome(lambda: json.loads(text))
    assert repr(outcome(lambda: streamed(text.encode(), chunk))) == repr(expected)


@pytest.mark.parametrize("chunk", [1, 2, 1000])
@pytest.mark.parametrize(("content", "position"), [(b'["a\xff"]', 3), ("[1, 'é".encode()[:-1], 5), (b'["\xf0\x9f\x9a', 2)])
def test_invalid_utf8_is_reported_with_its_byte(content: bytes, position: int, chunk: int) -> None:
    with pytest.raises(ValueError, match=f"no UTF-8 at byte {position}: "):
        streamed(content, chunk)


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_a_byte_order_mark_is_skipped(chunk: int) -> None:
    stream = JsonStream(io.BytesIO(b'\xef\xbb\xbf[{"a": 1}]'), "a file", chunk)
    assert list(stream.elements()) == [{"a": 1}]
    assert stream.start == 4
    assert repr(outcome(lambda: streamed(b"\xef\xbb\xbf[x", chunk))) == repr(outcome(lambda: json.loads("[x")))


@pytest.mark.parametrize("chunk", [1, 5, 1000])
def test_bytes_are_counted_where_values_begin(chunk: int) -> None:
    content = '\n[ {"é": "🚗"} ,"東" ,\t17 ]  '.encode()
    stream = JsonStream(io.BytesIO(content), "a file", chunk)
    starts = [(stream.start, value) for value in stream.elements()]
    assert [(json.JSONDecoder().raw_decode(content[start:].decode())[0], value) for start, value in starts] == [(v, v) for _, v in starts]
    assert content[: stream.tell()].endswith(b"17 ]")


def test_an_endless_value_is_refused_before_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "LARGEST_VALUE", 1000)
    content = io.BytesIO(b'[{"counts": "' + b"0" * 10**6)
    with pytest.raises(BPRError, match="a file: expected JSON values of at most 1000 characters, got a longer one"):
        list(JsonStream(content, "a file", 100).elements())
    assert content.tell() < 5000


def test_a_broken_value_is_reported_before_the_rest_is_read() -> None:
    content = io.BytesIO(b'[{"a": 1}, {"b": x}, ' + b"0, " * 10**5)
    with pytest.raises(ValueError, match="Expecting value: line 1 column 18"):
        list(JsonStream(content, "a file", 100).elements())
    assert content.tell() == 100


@pytest.mark.parametrize("depth", [64, 65, 66, 200])
def test_nesting_is_limited_as_in_a_whole_file(depth: int) -> None:
    content = b"[" * depth + b"]" * depth
    outcomes = []
    for read in (lambda: check_depth(json.loads(content), "a file"), lambda: streamed(content, 4)):
        try:
            read()
            outcomes.append("taken")
        except BPRError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
