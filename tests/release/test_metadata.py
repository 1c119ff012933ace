"""The metadata of a release is consistent: name, version, Pythons, extras, citation, links."""

from __future__ import annotations

import re

import yaml

import bpr
from bpr.errors import DISTRIBUTION
from tests.conftest import ROOT
from tests.release.archives import tracked
from tests.release.check import CORE, PYTHONS, lowest

SETUP = (ROOT / "setup.py").read_text(encoding="utf-8")
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_changelog_and_citation_are_of_this_version() -> None:
    entries = re.findall(
        r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert entries[0] == (bpr.__version__, str(CITATION["date-released"]))
    assert CITATION["version"] == bpr.__version__
    assert f'VERSION = "{bpr.__version__}"\n' in (ROOT / "models" / "setup.py").read_text(encoding="utf-8")
    assert [date for _, date in entries] == sorted((date for _, date in entries), reverse=True)


def test_the_citation_names_the_paper_and_its_authors() -> None:
    (paper,) = CITATION["references"]
    assert paper["title"] == "Look Closer to Segment Better: Boundary Patch Refinement for Instance Segmentation"
    assert [author["family-names"] for author in paper["authors"]] == ["Tang", "Chen", "Li", "Li", "Zhang", "Hu"]


def test_the_distribution_has_a_name_of_its_own() -> None:
    assert f'\n    name="{DISTRIBUTION}",\n' in SETUP
    assert DISTRIBUTION != "bpr", "a package of others on the index"


def test_every_extra_that_a_message_names_exists() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bpr").rglob("*.py"))
    named = set(re.findall(r"""install_hint\(["']([\w-]+)["']\)""", sources))
    assert named >= {"app", "train", "report", "openvino"}
    assert named <= set(re.findall(r'^        "([\w-]+)": (?:\[|TRAIN)', SETUP, re.MULTILINE))
    assert "bpr[" not in sources, "install_hint names the distribution"


def test_the_pythons_that_are_tried_are_those_declared() -> None:
    declared = re.search(r"for minor in \(([\d, ]+)\)", SETUP)
    assert declared
    assert tuple(f"3.{minor}" for minor in declared[1].split(", ")) == PYTHONS
    assert [one.partition("==")[0] for one in lowest()] == list(CORE)


def test_links_of_the_front_pages_lead_to_tracked_files() -> None:
    files = set(tracked())
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
        assert not set(links) - files, page
