"""Capacity on paper: the arithmetic, and that it reads what ``bpr refine`` prints."""

from __future__ import annotations

import pytest

from benchmarks.proofs.capacity import GPUS, Sizes, layout, markdown, measured_rates, rates_of, report
from bpr.errors import BPRError
from tests.conftest import SmallSet

PRINTED = "10 images, 1000 patches in 9.0 s (read 0.5, decode masks 0.1, cut 0.2, forward 8.0, put back 0.1, encode 0.1, write 0.3)"
RATES = rates_of(f"{PRINTED}\n40 of 90 records refined; 50 below --min-score; could not be refined: none -> out.json")


def test_what_refine_prints_is_read() -> None:
    assert (RATES.images, RATES.patches_per_image, RATES.records_per_image) == (10, 100, 4)
    assert RATES.cpu_seconds_per_image == pytest.approx(0.1)
    assert RATES.network_seconds_per_image == pytest.approx(0.8)


def test_another_text_is_refused() -> None:
    with pytest.raises(BPRError, match="expected the two lines of bpr refine"):
        rates_of("no such thing")


def test_the_rates_of_the_docs_are_there() -> None:
    assert measured_rates("coco_val2017").patches_per_image > 1


def test_more_gpus_share_the_hours_and_want_more_of_the_rest() -> None:
    one, eight = (layout(RATES, Sizes(image=1e5, record=500), gpus, 1000, images=36_000) for gpus in (1, 8))
    assert (one["hours"], eight["hours"]) == (1, 0.125)
    assert (one["cores"], eight["cores"]) == (1, 8)
    assert (one["read_mb_per_second"], eight["read_mb_per_second"]) == (1, 8)
    assert (one["journal_gb_per_rank"], eight["journal_gb_per_rank"]) == (0.072, 0.009)
    assert one["merge_minutes"] == eight["merge_minutes"]


def test_sizes_are_measured_on_what_is_given(small_set: SmallSet) -> None:
    sizes = Sizes.of(str(small_set.results), str(small_set.images))
    assert sizes.record == small_set.results.stat().st_size / 4
    assert sizes.image == sum(path.stat().st_size for path in small_set.images.iterdir()) / 2


def test_the_table_has_a_row_for_every_number_of_gpus() -> None:
    text = markdown(report(RATES, Sizes(image=1e5, record=500), gpu_rate=1000))
    assert all(f"| {gpus} | " in text for gpus in GPUS)
