"""A metric is one row: it appears in every place that shows metrics without another edit."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpr.cli.main import main
from bpr.evaluation.bootstrap import Fixed
from bpr.evaluation.comparison import Evaluation
from bpr.evaluation.metrics import METRICS, Metric
from bpr.evaluation.pair_metrics import PAIR_METRICS, PairMetric
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask, encode_mask
from tests.conftest import SmallSet
from tests.report.html.made import read_data


@pytest.fixture
def toy() -> Iterator[PairMetric]:
    """A measure of error: the share of the true pixels that the mask misses."""
    metric = PairMetric(
        "missed",
        "missed",
        "Missed pixels",
        lambda pair: 1 - (pair.mask.to_frame() & pair.truth.to_frame()).sum() / pair.truth.area,
        higher_is_better=False,
    )
    PAIR_METRICS.append(metric)
    yield metric
    PAIR_METRICS.remove(metric)


@pytest.fixture
def files(small_set: SmallSet) -> list[str]:
    """Options of a comparison in which refinement harms the first of four masks: it keeps only the left half of it."""
    records = [dict(record) for record in small_set.records]
    half = decode_mask(records[0]["segmentation"]).to_frame()
    half[:, round(half.any(axis=0).nonzero()[0].mean()) :] = False
    records[0]["segmentation"] = encode_mask(BoxMask.from_frame(half))
    refined = small_set.write("refined.json", records)
    return [str(refined), "--before", str(small_set.results), "--ann", str(small_set.ann)]


def test_a_pair_metric_appears_in_eval(
    toy: PairMetric, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page, table = tmp_path / "out.json", tmp_path / "page.md", tmp_path / "rows.csv"
    more = ["--out", str(out), "--markdown", str(page), "--save-per-instance", str(table)]
    assert main(["eval", *files, *more]) == 0
    printed = capsys.readouterr().out
    assert "missed/matched" in printed
    assert "missed (lower is better)" in printed
    assert "missed (lower is better)" in page.read_text()
    written = json.loads(out.read_text())
    assert written["rows"]["missed/matched"]["before"] == 0
    assert written["rows"]["missed/matched"]["value"] == pytest.approx(0.5 / 4, abs=0.02)
    assert written["breakdowns"]["class"]["disk"]["after"]["missed"] == written["rows"]["missed/matched"]["value"]
    rows = list(csv.DictReader(table.open()))
    assert [float(row["missed_before"]) for row in rows] == [0] * 4
    assert float(rows[0]["missed_after"]) == pytest.approx(0.5, abs=0.05)


def test_a_pair_metric_appears_in_the_report(
    toy: PairMetric, files: list[str], small_set: SmallSet, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "report"
    assert main(["report", *files, "--img-dir", str(small_set.images), "--out", str(out)]) == 0
    data = read_data(out)
    assert data["metrics"]["missed"] == "Missed pixels"
    assert data["instances"][0]["metrics"]["missed"] == [0, pytest.approx(50, abs=5)]
    page = (out / "index.html").read_text()
    assert "<h2>Missed pixels</h2>" in page
    # The number rose, which is harm for a measure of error.
    tile = page.split("<h2>Missed pixels</h2>")[1].split("</div>")[0]
    assert 'class="change harm">+' in tile


def test_a_pair_metric_appears_in_the_analyses(
    toy: PairMetric, files: list[str], small_set: SmallSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    images = ["--img-dir", str(small_set.images)]
    assert main(["analyze", "failures", *files, *images, "--out", str(tmp_path / "failures.json")]) == 0
    (worst,) = json.loads((tmp_path / "failures.json").read_text())["worst"]
    assert (worst["missed_before"], worst["missed_after"]) == (0, pytest.approx(0.5, abs=0.05))
    assert main(["analyze", "scatter", *files, *images, "--out", str(tmp_path / "scatter.json")]) == 0
    gains = json.loads((tmp_path / "scatter.json").read_text())["gains"]
    assert gains[-1]["changes"]["missed"] == pytest.approx(0.5 / 4, abs=0.02)
    assert "missed (lower is better)" in capsys.readouterr().out


def test_a_metric_of_eval_is_one_row(
    files: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def count(evaluation: Evaluation) -> dict[str, Fixed]:
        return {
            "share of confident records": Fixed(
                sum(r["score"] > 0.5 for r in evaluation.records) / len(evaluation.records)
            )
        }

    monkeypatch.setitem(METRICS, "toy", Metric(Evaluation, count, "a toy", default=False))
    assert main(["eval", *files, "--metrics", "toy"]) == 0
    assert "share of confident records" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["eval", "--help"])
    assert "toy: a toy" in " ".join(capsys.readouterr().out.split())
