"""Adds files from outside docs/ to the site, and changes links so that they work on the site as in the repository."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "README.md": ("README", "repository.md"),
    "CHANGELOG.md": ("Changes", "changelog.md"),
    "CONTRIBUTING.md": ("Contributing", "contributing.md"),
    "SECURITY.md": ("Security", "reporting.md"),
    "benchmarks/README.md": ("The benchmark contract", "benchmarks.md"),
}
"""Files outside docs/: the title and the page of each on the site. Files that do not exist are left out."""
WEB, TRY_IT = ROOT / "build" / "web", "<!-- try it here -->"
"""The page that `make web` built, and where it is shown; without it, nothing is shown there."""
FRAME = """<iframe class="try" src="try/index.html" title="Try it here"></iframe>

<a href="try/index.html">Open it in a tab of its own.</a>"""
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: Any) -> None:
    config.nav.append({"Project": [{title: page} for title, page in _present().values()]})


def on_files(files: Files, config: Any) -> None:
    for name, (_, page) in _present().items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    for path in sorted(WEB.rglob("*.*")):
        files.append(File.generated(config, f"try/{path.relative_to(WEB).as_posix()}", abs_src_path=str(path)))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    sources = {there: name for name, (_, there) in OUTSIDE.items()}
    uri = page.file.src_uri
    if (WEB / "index.html").is_file():
        markdown = markdown.replace(TRY_IT, FRAME)
    return LINK.sub(partial(_on_site, page=uri, source=sources.get(uri, f"docs/{uri}")), markdown)


def _present() -> dict[str, tuple[str, str]]:
    return {name: entry for name, entry in OUTSIDE.items() if (ROOT / name).is_file()}


def _on_site(link: re.Match[str], page: str, source: str) -> str:
    """The link of a repository file as a link of the site. If its target is not on the site, only the text remains."""
    path = os.path.normpath(os.path.join(os.path.dirname(source), link["path"]))
    if not (ROOT / path).exists():
        return link[0]
    if path in OUTSIDE:
        target = OUTSIDE[path][1]
    elif path.startswith("docs/"):
        target = path.removeprefix("docs/")
    else:
        return link["text"]
    target = os.path.relpath(target, os.path.dirname(page) or ".").replace(os.sep, "/")
    return f"{link['picture']}[{link['text']}]({target}{link['anchor'] or ''})"
