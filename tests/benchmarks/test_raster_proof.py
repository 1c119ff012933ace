"""What the proof of large rasters says about its runs."""

from __future__ import annotations

import pytest

pytest.importorskip("tifffile")

from benchmarks.proofs.raster import Objects, changed, growth, table

SUMMARY = "700 of 700 records refined; could not be refined: none; verdict: 120 changed as proposed, 30 in part, 550 not at all -> x"


def runs(seconds: list[float]) -> list[dict[str, object]]:
    numbers = zip((10, 100, 1000), seconds, strict=True)
    return [{"objects": n, "seconds": 2 * s, "processor_seconds": s, "peak_mib": 500, "report": ["", SUMMARY]} for n, s in numbers]


def test_growth_is_the_exponent() -> None:
    assert growth(runs([1, 10, 100])) == 1
    assert growth(runs([1, 100, 10_000])) == 2
    assert growth(runs([1, 10, 100])[:1]) is None


def test_the_table_says_what_changed_and_whether_a_kill_was_harmless() -> None:
    assert changed(SUMMARY) == 150
    assert changed("700 of 700 records refined; could not be refined: none -> x") == 0
    origin = {"date": "2026-11-29", "cores": 2, "processor": "AMD EPYC"}
    report = {"side": 20_000, "model": "starter-fast", "provenance": origin, "rows": runs([1, 10, 100]), "growth": 1.0}
    written = table({**report, "resumed_bytes_equal": False})
    assert "to the power of 1.00" in written
    assert "wrote **other** bytes" in written
    assert written.endswith("| 1,000 | 150 | 200 | 100 | 100.0 | 500 |")
    assert "Killed" not in table(report)


def test_tiles_cover_the_raster_and_hold_every_object() -> None:
    tiles = list(Objects(600, 9).tiles(labels=True))
    assert len(tiles) == 4
    assert {number for tile in tiles for number in tile.ravel().tolist()} == set(range(10))
