"""What a release says about itself agrees with itself."""

from __future__ import annotations

import re

import yaml

import bpr
from tests.conftest import ROOT
from tests.release.archives import tracked
from tests.release.check import CORE, PYTHONS, lowest

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_changelog_and_citation_are_of_this_version() -> None:
    entries = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert entries[0] == (bpr.__version__, str(CITATION["date-released"]))
    assert CITATION["version"] == bpr.__version__
    assert [date for _, date in entries] == sorted((date for _, date in entries), reverse=True)


def test_the_citation_names_the_paper_and_its_authors() -> None:
    (paper,) = CITATION["references"]
    assert paper["title"] == "Look Closer to Segment Better: Boundary Patch Refinement for Instance Segmentation"
    assert [author["family-names"] for author in paper["authors"]] == ["Tang", "Chen", "Li", "Li", "Zhang", "Hu"]


def test_the_pythons_that_are_tried_are_those_declared() -> None:
    declared = re.search(r"for minor in \(([\d, ]+)\)", (ROOT / "setup.py").read_text(encoding="utf-8"))
    assert declared
    assert tuple(f"3.{minor}" for minor in declared[1].split(", ")) == PYTHONS
    assert [one.partition("==")[0] for one in lowest()] == list(CORE)


def test_no_link_of_the_front_pages_leads_nowhere() -> None:
    there = set(tracked())
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
        assert not set(links) - there, page
