import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.geometry.overlaps import without_overlaps


def row(*pixels: int) -> BoxMask:
    return BoxMask.from_frame(np.array([pixels]))


def sure(mask: BoxMask, probability: float) -> np.ndarray:
    return np.full(mask.pixels.shape, probability, np.float32)


def settled(coarse: list[BoxMask], refined: list[BoxMask], probabilities: list[float]) -> list[list[int]]:
    maps = [sure(mask, probability) for mask, probability in zip(refined, probabilities, strict=True)]
    return [mask.to_frame()[0].astype(int).tolist() for mask in without_overlaps(coarse, refined, maps)]


A, B = row(1, 1, 1, 0, 0, 0), row(0, 0, 0, 1, 1, 1)


def test_no_segments() -> None:
    assert without_overlaps([], [], []) == []


def test_what_two_claim_goes_to_the_surer() -> None:
    wide_a, wide_b = row(1, 1, 1, 1, 0, 0), row(0, 0, 1, 1, 1, 1)
    assert settled([A, B], [wide_a, wide_b], [0.6, 0.9]) == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]]
    assert settled([A, B], [wide_a, wide_b], [0.9, 0.6]) == [[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]


def test_among_equals_the_first_wins() -> None:
    wide_a, wide_b = row(1, 1, 1, 1, 0, 0), row(0, 0, 1, 1, 1, 1)
    assert settled([A, B], [wide_a, wide_b], [0.7, 0.7]) == [[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]


def test_no_hole_opens_between_two_segments() -> None:
    assert settled([A, B], [row(1, 1, 0, 0, 0, 0), row(0, 0, 0, 0, 1, 1)], [0.9, 0.9]) == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]


def test_a_segment_that_fills_the_frame_keeps_it() -> None:
    assert settled([row(1, 1, 1)], [row(1, 1, 0)], [0.9]) == [[1, 1, 1]]


def test_towards_void_a_segment_may_shrink_and_grow() -> None:
    coarse = row(0, 0, 1, 1, 1, 0)
    assert settled([coarse], [row(0, 0, 0, 1, 1, 1)], [0.9]) == [[0, 0, 0, 1, 1, 1]]


def test_a_pixel_given_up_goes_where_the_nearest_neighbour_says() -> None:
    """Void lies left of A, B lies right: A gives up a pixel on either side; only the left one becomes void."""
    a, b = row(0, 1, 1, 1, 0, 0), row(0, 0, 0, 0, 1, 1)
    assert settled([a, b], [row(0, 0, 1, 0, 0, 0), b], [0.9, 0.9]) == [[0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]


def test_a_segment_that_would_vanish_keeps_its_coarse_pixels() -> None:
    dot, rest = row(0, 0, 1, 0), row(1, 1, 0, 1)
    assert settled([dot, rest], [dot, row(1, 1, 1, 1)], [0.6, 0.9]) == [[0, 0, 1, 0], [1, 1, 0, 1]]


def test_reviving_one_segment_may_revive_the_next() -> None:
    """B covers A's only pixel and gave its own away to C: A takes its pixel back, then B does."""
    a, b, c = row(1, 0, 0), row(0, 1, 0), row(0, 0, 1)
    assert settled([a, b, c], [row(1, 0, 0), row(1, 0, 0), row(0, 1, 1)], [0.6, 0.9, 0.9]) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_random_segments_share_out_the_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, (6, 8)).repeat(3, axis=0).repeat(3, axis=1)
    coarse = [BoxMask.from_frame(labels == number) for number in range(1, 5)]
    moved = [BoxMask.from_frame(np.roll(mask.to_frame(), rng.integers(-2, 3), axis=1)) for mask in coarse]
    result = without_overlaps(coarse, moved, [rng.random(mask.pixels.shape, np.float32) for mask in moved])
    count = sum(mask.to_frame().astype(int) for mask in result)
    assert np.max(count) == 1
    assert all(mask.area for mask in result)
    claimed = np.any([mask.to_frame() for mask in moved], axis=0)
    assert (count[claimed] == 1).all()
