"""Griffe extension that turns docstrings into Markdown: examples become fenced blocks, roles become plain code."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)
"""An example, from its first prompt to the next empty line."""
ROLE = re.compile(r":(?:class|func|meth|mod|data):`~?([^`]+)`")


class Markdown(griffe.Extension):
    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            fenced = EXAMPLE.sub(lambda example: f"```pycon\n{example[0]}\n```", obj.docstring.value)
            obj.docstring.value = ROLE.sub(r"`\1`", fenced)
