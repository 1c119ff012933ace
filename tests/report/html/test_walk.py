"""A person's walk: an annotation file of polygons is refined, looked at, undone in part, and read by its own tool again."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from bpr.cli.main import main
from tests.browser import Tab
from tests.refinement.verdict.test_verdict import Grower, always
from tests.report.html.made import MadeSet, read_data

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api", reason="the walk drives a browser with playwright").expect


@pytest.fixture
def polygons(made: MadeSet) -> Path:
    """The squares before refining as an annotator draws them: four corners, ids from 100."""
    annotations = []
    for number, record in enumerate(made.records[0]):
        left, top, side = 10 + number % 4 * 60, 10, 40 + (3, 2, 0, -2)[number % 4]
        ring = [left, top, left + side, top, left + side, top + side, left, top + side]
        base = {key: record[key] for key in ("image_id", "category_id")}
        annotations.append({**base, "id": 100 + number, "iscrowd": 0, "segmentation": [ring], "attributes": {"by": "Åsa"}})
    return made.write("drawn.json", {**made.document, "annotations": annotations})


def report_of(before: Path, after: Path, images: Path, out: Path) -> Path:
    assert main(["report", str(after), "--before", str(before), "--img-dir", str(images), "--out", str(out)]) == 0
    return out


def save(page: Page, path: Path) -> dict[str, Any]:
    """Click the button and return what the downloaded file holds."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save decisions.json").click()
    assert download.value.suggested_filename == "decisions.json"
    download.value.save_as(path)
    return dict(json.loads(path.read_text()))


def masks(path: Path) -> dict[int, np.ndarray]:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    return {number: coco.annToMask(annotation) for number, annotation in coco.anns.items()}


def test_a_persons_walk(
    desktop: Tab, made: MadeSet, polygons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bpr.backends.load_predictor", lambda *_, **__: Grower(always(0)))
    refined, final, file = tmp_path / "refined.json", tmp_path / "final.json", tmp_path / "decisions.json"
    assert main(["refine", str(polygons), "--img-dir", str(made.images), "--model", "starter", "--out", str(refined)]) == 0
    report = report_of(polygons, refined, made.images, tmp_path / "report")

    page = desktop.open(report, "gallery")
    cards = page.locator("#cards li")
    expect(page.locator(".card")).to_have_count(12)
    expect(cards.first).to_contain_text("all, +2.0 expected")
    page.keyboard.press("u")  # no mask is chosen yet: the key chooses the first
    expect(page.locator(".card").first).to_be_focused()
    for key in ("u", "k"):  # each key moves on to the next mask
        page.keyboard.press(key)
    cards.nth(4).get_by_role("button", name="Undo").click()
    expect(page.locator(".card").nth(5)).to_be_focused()  # a click moves on, too
    cards.nth(5).get_by_role("button", name="Undo").click()
    cards.nth(5).get_by_role("button", name="Undo").click()
    page.locator(".card").nth(7).click()
    expect(page.locator("#viewer-place")).to_have_text("8 of 12", use_inner_text=True)
    page.keyboard.press("U")
    expect(page.locator("#viewer-place")).to_have_text("9 of 12", use_inner_text=True)
    page.keyboard.press("Escape")
    expect(page.locator("#decided")).to_have_text("3 to undo, 1 to keep, 8 open")
    decided = save(page, file)
    order = [str(row["id"]) for row in sorted(read_data(report)["instances"], key=lambda row: (row["agreement"], row["number"]))]
    assert decided["undo"] == sorted(order[place] for place in (0, 4, 7))
    assert decided["keep"] == [order[1]]

    page.reload()
    expect(page.locator("#decided")).to_have_text("0 to undo, 0 to keep, 12 open")
    page.locator("#load-decisions").set_input_files(file)
    expect(page.locator("#decided")).to_have_text("3 to undo, 1 to keep, 8 open")
    expect(cards.nth(4).get_by_role("button", name="Undo")).to_have_attribute("aria-pressed", "true")
    page.locator("select[name=mark]").select_option("undo")
    expect(page.locator("#found")).to_have_text("3 of 12 masks", use_inner_text=True)

    assert main(["apply", str(file), str(refined), "--before", str(polygons), "--out", str(final)]) == 0
    assert "3 masks put back, the other 9 as refined (1 marked as kept)" in capsys.readouterr().out
    before, after, found = masks(polygons), masks(refined), masks(final)
    for number, mask in found.items():
        undone = str(number) in decided["undo"]
        assert np.array_equal(mask, (before if undone else after)[number])
        assert not np.array_equal(before[number], after[number])
    texts = [json.loads(path.read_text())["annotations"] for path in (polygons, refined, final)]
    assert texts[2] == [old if str(old["id"]) in decided["undo"] else new for old, new, _ in zip(*texts, strict=True)]


def test_decisions_of_another_run_are_refused_and_those_about_hidden_masks_stay(desktop: Tab, made: MadeSet, tmp_path: Path) -> None:
    few = made.write("few.json", {**made.document, "annotations": made.document["annotations"][:8]})
    truth = ["--ann", str(few), "--img-dir", str(made.images), "--out", str(tmp_path / "truth")]
    assert main(["report", str(made.after), "--before", str(made.before), *truth]) == 0
    page = desktop.open(tmp_path / "truth", "gallery")
    sides, file = read_data(tmp_path / "truth")["sides"], tmp_path / "decisions.json"
    other = {**sides, "after": {"name": "other.json", "masks": "0"}, "undo": ["3"], "keep": []}
    for content, problem in (
        (json.dumps(other), "expected decisions about after.json, got those about other.json or another version of it"),
        ("[]", "expected decisions that this page saved, got something else"),
    ):
        file.write_text(content)
        page.locator("#load-decisions").set_input_files(file)
        expect(page.locator("#decisions-problem")).to_contain_text(problem)
    expect(page.locator("#decided")).to_have_text("0 to undo, 0 to keep, 8 open")
    file.write_text(json.dumps({**sides, "undo": ["3", "11"], "keep": [8]}))
    page.locator("#load-decisions").set_input_files(file)
    expect(page.locator("#decided")).to_have_text("1 to undo, 0 to keep, 7 open")
    expect(page.locator("#decisions-problem")).to_contain_text("2 decisions are about masks that this report does not show")
    assert save(page, file) == {**sides, "undo": ["3", "11"], "keep": ["8"]}


def test_the_change_that_the_verdict_does_not_expect_to_be_a_gain_comes_first(desktop: Tab, made: MadeSet, tmp_path: Path) -> None:
    """Changes of 13.5, 0, 17.4 and 14.1 points in every image; the verdict expects more than the largest to be a gain."""
    gains = (2.0, 0.0, 18.0, -1.0)
    judged = [{"verdict": ("all", "part")[n % 2], "expected_gain": gains[n % 4], "moved_px": 1.0} for n in range(12)]
    records = [{**record, "bpr": key} for record, key in zip(made.records[1], judged, strict=True)]
    records[0]["bpr"] = "mine"  # another tool's key, which counts as no verdict
    after = made.write("judged.json", records)
    report = report_of(made.before, after, made.images, tmp_path / "report")
    page = desktop.open(report, "gallery")
    expect(page.locator(".card")).to_have_count(12)
    rows = {f"#instance={row['number']}": row for row in read_data(report)["instances"]}
    shown = [rows[link.get_attribute("href") or ""]["record"] for link in page.locator(".card").all()]
    assert shown == [3, 7, 11, 0, 4, 8, 2, 6, 10, 1, 5, 9]
    page.locator("select[name=taken]").select_option("part")
    expect(page.locator("#found")).to_have_text("6 of 12 masks", use_inner_text=True)
