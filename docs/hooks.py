"""Makes files of the repository outside docs/ pages of the site, so that links to them hold there as they do in the repository."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "README.md": "repository.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Where they are on the site; those that are not there are left out."""
TITLES = ("README and results", "Changes", "Contributing", "Security", "The benchmark contract")
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: Any) -> None:
    titles = dict(zip(OUTSIDE, TITLES, strict=True))
    config.nav.append({"Project": [{titles[name]: page} for name, page in _present().items()]})


def on_files(files: Files, config: Any) -> None:
    for name, page in _present().items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    sources = {there: name for name, there in OUTSIDE.items()}
    source = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return LINK.sub(partial(_moved, source=source), markdown)


def _present() -> dict[str, str]:
    return {name: page for name, page in OUTSIDE.items() if (ROOT / name).is_file()}


def _moved(link: re.Match[str], source: str) -> str:
    """A link of the repository as one of the site; of what the site does not hold, only the words."""
    path = os.path.normpath(os.path.join(os.path.dirname(source), link["path"]))
    if not (ROOT / path).exists():
        return link[0]
    if path in OUTSIDE or path.startswith("docs/"):
        return f"{link['picture']}[{link['text']}]({OUTSIDE.get(path, path.removeprefix('docs/'))}{link['anchor'] or ''})"
    return link["text"]
