"""Values of a file are replaced; every other byte stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bpr.errors import BPRError
from bpr.io.kept_text import Changes, KeptText, Span, json_places

CHANGES = Changes(shapes=Changes({1: Changes(points=[[1.5, 2], [3, 4]])}))


def changed(folder: Path, content: bytes, changes: Changes = CHANGES) -> bytes:
    (folder / "in.json").write_bytes(content)
    KeptText(folder / "in.json").write(json_places(changes), folder / "out.json")
    return (folder / "out.json").read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"shapes":[{"points":[0]},{"a":1.50,"points":[[7,8]]}],"z":1e3}', "[[1.5,2],[3,4]]"),
        ('{"shapes": [{"points": [0]}, {"points": [[7, 8]], "ü": "\\u00fc\\ud800"}], "z": 1}', "[[1.5, 2], [3, 4]]"),
        ('\ufeff{ "shapes" :[ 0 ,{"points" : [7] } ] }\r\n', "[[1.5, 2], [3, 4]]"),
        ('{"shapes": [0, {"points": 7, "points": [8]}]}', "[[1.5, 2], [3, 4]]"),
        (
            '{\n  "shapes": [\n    {},\n    {\n      "points": [\n        7,\n        8\n      ]\n    }\n  ]\n}\n',
            "[\n        [\n          1.5,\n          2\n        ],\n        [\n          3,\n          4\n        ]\n      ]",
        ),
    ],
)
def test_only_the_value_is_written_anew_and_in_the_style_of_the_old_one(tmp_path: Path, before: str, after: str) -> None:
    old = next(old for old in ("[[7,8]]", "[[7, 8]]", "[8]", "[7]", "[\n        7,\n        8\n      ]") if old in before)
    assert changed(tmp_path, before.encode()) == before.replace(old, after).encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('[{"a": 1, "b": 2}]', '[{"a": 1, "b": 2, "new": {"c": [3, 4]}}]'),
        ('[{"a":1,"b":2 }]', '[{"a":1,"b":2,"new":{"c":[3,4]} }]'),
        ('[{"\u00c5": "\u00c5, x"}]', '[{"\u00c5": "\u00c5, x","new": {"c": [3, 4]}}]'),
        ("[{}]", '[{"new": {"c": [3, 4]}}]'),
        (
            '[\r\n  {\r\n    "a": 1,\r\n    "b": [2, 3]\r\n  }\r\n]',
            '[\r\n  {\r\n    "a": 1,\r\n    "b": [2, 3],\r\n    "new": {\n      "c": [\n        3,\n        4\n      ]\n    }\r\n  }\r\n]',
        ),
    ],
)
def test_a_key_that_an_object_lacks_is_added_at_its_end(tmp_path: Path, before: str, after: str) -> None:
    assert changed(tmp_path, before.encode(), Changes({0: Changes(new={"c": [3, 4]})})) == after.encode()


def test_a_document_is_what_json_says(tmp_path: Path) -> None:
    document = {"a": [{"b": [1, [2, {}], []], "c": {"d": None}}, "e]}", {"f": "\\\"[{"}], "g": [[[]]]}
    changes = Changes(a=Changes({0: Changes(b=Changes({1: Changes({1: "new"})})), 2: 9}), g=Changes({0: []}))
    for indent in (None, 1, 4):
        after = json.loads(changed(tmp_path, json.dumps(document, indent=indent).encode(), changes))
        assert after == {"a": [{"b": [1, [2, "new"], []], "c": {"d": None}}, "e]}", 9], "g": [[]]}


def test_without_changes_the_bytes_are_copied(tmp_path: Path) -> None:
    assert changed(tmp_path, b' {"a":\t1.0}\n', Changes()) == b' {"a":\t1.0}\n'


def test_spans_of_any_order_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes("ä one two".encode())
    KeptText(tmp_path / "in.txt").write(lambda _: [Span(7, 10, b"2"), Span(3, 6, b"1")], tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "ä 1 2"


def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text("[1]")
    text = KeptText(tmp_path / "in.json")
    (tmp_path / "in.json").write_text("[1, 2]")
    with pytest.raises(BPRError, match="changed while it was read"):
        text.write(json_places(Changes({0: 5})), tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BPRError, match=r"gone\.json: cannot read it"):
        KeptText(tmp_path / "gone.json")
