"""The table of errors in docs/errors.md, made from the source: ``python -m tests.error_table`` writes it.

Every message that the package raises is a row. The values that a message quotes appear as ``<name>``. A test compares
the page with the source, so that a message changes in one place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bpr.errors import DISTRIBUTION
from bpr.io.files import atomic_open
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "errors.md"
MARKER = "<!-- generated from here on: python -m tests.error_table -->\n"
"""What precedes it on the page is written by hand."""
KINDS = ("BPRError", "BadUsage", "BadInput", "BadMask", "BadImage", "ValueError", "ArgumentTypeError")
ROOMS = {
    "io": "Files, folders and images",
    "formats": "Formats",
    "geometry": "Masks and patches",
    "refinement": "Refining, alone and in shares",
    "backends": "Models and backends",
    "evaluation": "Evaluation",
    "report": "Reports and analyses",
    "app": "The page",
    "cli": "Commands",
    "training": "Training",
    "integrations": "MMDetection, CVAT, Label Studio and FiftyOne",
    "": "Elsewhere",
}
"""The headings, by the subpackage that raises the messages."""
UNQUOTED = {"shown", "str", "repr", "sorted", "min", "max", "len", "join", "set", "list", "tuple", "asdict"}
"""Calls whose first argument is the value that a message quotes."""
NAMELESS = "<value>"
"""How the table shows a value that has no name."""


class Row(NamedTuple):
    """A message: what is wrong, what to do about it (may be empty), and the exception."""

    problem: str
    remedy: str
    kind: str


def rows(source: str) -> Iterator[Row]:
    """The messages that a module raises, in the order of its lines."""
    tree = ast.parse(source)
    constants = _assigned(tree.body)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    for call in ast.walk(tree):
        kind = _name(call.func) if isinstance(call, ast.Call) else ""
        if not isinstance(call, ast.Call) or kind not in KINDS or not call.args:
            continue
        # The innermost function around the call: its variables may hold parts of the message.
        around = [node for node in functions if node.lineno <= call.lineno <= (node.end_lineno or 0)]
        local = _assigned(ast.walk(max(around, key=lambda node: node.lineno))) if around else {}
        text = _text(call.args[0], {**constants, **local})
        if _is_of_users(text, kind):
            problem, _, remedy = text.partition("; ")
            yield Row(problem, remedy, kind)


def _is_of_users(text: str, kind: str) -> bool:
    """Whether users read this message: not one that the package catches, nor one that only adds a name to another."""
    own_words = re.sub("<.*?>", "", text.partition("; ")[0])
    caught = kind == "ValueError" and "expected" not in text
    return not caught and re.search("[a-z]", own_words) is not None and not re.fullmatch("[a-z ]*<.*>: <error>", text)


def _assigned(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """The expressions that statements among ``nodes`` assign to variables."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for variable, value in pairs:
                if isinstance(variable, ast.Name) and not (isinstance(value, ast.Constant) and value.value is None):
                    found.setdefault(variable.id, []).append(value)
    return found


def _text(node: ast.expr, assigned: dict[str, list[ast.expr]]) -> str:
    """An expression as the table shows it: texts as they are, every other value as ``<name>``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, assigned) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, assigned)
    if isinstance(node, ast.BinOp) and (_is_text(node.left) or _is_text(node.right)):
        return _text(node.left, assigned) + _text(node.right, assigned)
    if isinstance(node, ast.IfExp):
        texts = {_text(node.body, assigned): None, _text(node.orelse, assigned): None}
        return " or ".join(text for text in texts if text)
    if isinstance(node, ast.Call) and _name(node.func) == "install_hint" and isinstance(node.args[0], ast.Constant):
        return f"pip install '{DISTRIBUTION}[{node.args[0].value!s}]'"
    values = assigned.get(node.id, []) if isinstance(node, ast.Name) else []
    if len(values) == 1 and isinstance(values[0], ast.Constant | ast.JoinedStr | ast.IfExp | ast.BinOp):
        text = _text(values[0], {name: value for name, value in assigned.items() if value is not values})
        if text != NAMELESS:
            return text
    return f"<{_name(node).replace('_', ' ').strip().lower()}>"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _name(node: ast.AST) -> str:
    """A name for the value of an expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return "type" if node.attr == "__name__" else node.attr
    if isinstance(node, ast.Subscript):
        key = node.slice
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else _name(node.value)
    if isinstance(node, ast.Call):
        called = _name(node.func)
        if called in UNQUOTED and node.args:
            return _name(node.args[0])
        if called == "map":
            return _name(node.args[1])
        if called in ("get", "getattr"):
            return NAMELESS.strip("<>")
        return _name(node.func.value) if isinstance(node.func, ast.Attribute) and not node.args else called
    if isinstance(node, ast.BinOp):
        return _name(node.left)
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        return _name(node.generators[0].iter)
    if isinstance(node, ast.Starred):
        return _name(node.value)
    return NAMELESS.strip("<>")


def table() -> str:
    """The generated part of the page."""
    found: dict[str, set[Row]] = {}
    for path in sorted((ROOT / "bpr").rglob("*.py")):
        parts = path.relative_to(ROOT / "bpr").parts
        found.setdefault(parts[0] if len(parts) > 1 else "", set()).update(rows(path.read_text(encoding="utf-8")))
    order = [*ROOMS, *(room for room in found if room not in ROOMS)]
    return "\n".join(_section(ROOMS.get(room, room), sorted(found[room])) for room in order if found.get(room))


def _section(title: str, messages: list[Row]) -> str:
    lines = [f"## {title}", "", "| message | what to do | raised as |", "|---|---|---|"]
    for row in messages:
        cells = [f"`{cell}`".replace("|", "\\|") if cell else "" for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def page() -> str:
    """docs/errors.md: the part that is written by hand, then the table of the present source."""
    return PAGE.read_text(encoding="utf-8").partition(MARKER)[0] + MARKER + "\n" + table()


def main() -> None:
    text = page()
    with atomic_open(PAGE) as file:
        file.write(text)
    print(f"{PAGE.name} written; read its diff")


if __name__ == "__main__":
    main()
