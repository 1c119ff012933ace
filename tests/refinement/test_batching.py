import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.geometry.scheme import PatchScheme
from bpr.refinement.batching import predict_images
from bpr.refinement.predictor import Instance, PatchBatch
from bpr.refinement.refiner import Refiner


class Recorder:
    """Says every pixel's mask value, and remembers how large its batches were."""

    def __init__(self, batch_size: int) -> None:
        self.scheme, self.batch_size, self.sizes = PatchScheme(side=16), batch_size, []

    def predict(self, batch: PatchBatch) -> np.ndarray:
        self.sizes.append(len(batch))
        assert len(batch.instances) == len(batch.boxes) == len(batch)
        return batch.patches[..., 3].astype(np.float32) / 255


def disks(seed: int, count: int) -> list[Instance]:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:80, :90]
    circles = zip(rng.integers(10, 70, count), rng.integers(10, 80, count), rng.integers(3, 25, count), strict=True)
    return [Instance(BoxMask.from_frame((rows - a) ** 2 + (columns - b) ** 2 < r * r), n) for n, (a, b, r) in enumerate(circles)]


def test_batches_fill_across_images_and_answers_go_home() -> None:
    predictor = Recorder(batch_size=7)
    refiner = Refiner(predictor)
    image = np.zeros((80, 90, 3), np.uint8)
    cuts = [refiner.cut(image, disks(seed, count)) for seed, count in enumerate([3, 0, 1, 4, 0])]
    predicted = list(predict_images(predictor, cuts))
    assert [p.cut for p in predicted] == cuts
    assert all(size == 7 for size in predictor.sizes[:-1])
    assert sum(predictor.sizes) == sum(len(cut.batch) for cut in cuts)
    for one in predicted:
        assert np.array_equal(one.probabilities, one.cut.batch.patches[..., 3] / np.float32(255))
        assert all(a.equals(i.mask) for a, i in zip(refiner.put_back(one), one.cut.instances, strict=True))


def test_no_images_and_no_patches() -> None:
    predictor = Recorder(4)
    assert list(predict_images(predictor, [])) == []
    full = Instance(BoxMask.from_frame(np.ones((20, 20), bool)))
    (only,) = predict_images(predictor, [Refiner(predictor).cut(np.zeros((20, 20, 3), np.uint8), [full])])
    assert only.probabilities.shape == (0, 16, 16)
    assert predictor.sizes == []


class Shrinker(Recorder):
    """Takes half the mask's probability where the mask's left neighbour is background: every pass eats a column."""

    def predict(self, batch: PatchBatch) -> np.ndarray:
        mask = super().predict(batch)
        return np.minimum(mask, np.concatenate([mask[..., :1], mask[..., :-1]], axis=2))


def test_passes_refine_along_the_boundary_of_the_pass_before() -> None:
    square = np.zeros((80, 90), bool)
    square[20:60, 20:60] = True
    image = np.zeros((80, 90, 3), np.uint8)
    for passes in (1, 2, 3):
        predictor = Shrinker(batch_size=7)
        predictor.scheme = predictor.scheme.changed(passes=passes)
        refined = Refiner(predictor)(image, square[None])[0]
        assert np.array_equal(np.flatnonzero(refined[40]), np.arange(20 + passes, 60))


def test_a_wide_pass_comes_first_and_for_large_instances_alone() -> None:
    large, small = np.zeros((2, 80, 90), bool)
    large[10:70, 20:60], small[30:40, 70:80] = True, True
    predictor = Shrinker(batch_size=7)
    predictor.scheme = predictor.scheme.changed(wide=32)
    refined = Refiner(predictor)(np.zeros((80, 90, 3), np.uint8), np.stack([large, small]))
    assert np.array_equal(np.flatnonzero(refined[0][40]), np.arange(20 + 2 + 1, 60))  # one cell of a wide patch is two pixels
    assert np.array_equal(np.flatnonzero(refined[1][35]), np.arange(70 + 1, 80))


def test_believing_every_pass_changes_nothing() -> None:
    instances = disks(3, 5)
    masks = np.stack([instance.mask.to_frame() for instance in instances])
    predictor = Recorder(batch_size=7)
    predictor.scheme = predictor.scheme.changed(wide=24, passes=2)
    assert np.array_equal(Refiner(predictor)(np.zeros((80, 90, 3), np.uint8), masks), masks)


class Cutter(Recorder):
    """Believes the mask, but for white places: says `shown` there for foreground of the mask, and `hidden` for background."""

    shown, hidden = np.float32(0.4), np.float32(0.2)

    def predict(self, batch: PatchBatch) -> np.ndarray:
        mask = super().predict(batch)
        return np.where(batch.patches[..., 0] > 0, np.where(mask > 0, self.shown, self.hidden), mask)


def leaking(passes: int, withdrawn: float, **scheme: object) -> tuple[Refiner, np.ndarray, np.ndarray]:
    """A refiner of squares of 16 px, an image and a mask: columns 25 to 59 on black, and a leak of 20 columns on white."""
    image, mask = np.zeros((80, 90, 3), np.uint8), np.zeros((80, 90), bool)
    image[:, :25], mask[20:60, 5:60] = 255, True
    predictor = Cutter(batch_size=7)
    predictor.scheme = predictor.scheme.changed(passes=passes, withdrawn=withdrawn, **scheme)
    return Refiner(predictor), image, mask


@pytest.mark.parametrize(("passes", "first"), [(1, 16), (2, 23), (3, 25), (4, 25)])
def test_a_leak_is_followed_where_the_boundary_has_withdrawn(passes: int, first: int) -> None:
    refiner, image, mask = leaking(passes, withdrawn=4)
    assert np.array_equal(np.flatnonzero(refiner(image, mask)[40]), np.arange(first, 60))


def test_a_second_look_asks_only_where_the_boundary_has_withdrawn() -> None:
    once, image, mask = leaking(1, withdrawn=4)
    once(image, mask)
    for withdrawn, fewest, most in ((4, 5, 10), (25, 0, 0)):
        twice = leaking(2, withdrawn)[0]
        found = twice(image, mask, return_patches=True).patches[0]
        again = sum(twice.predictor.sizes) - sum(once.predictor.sizes)
        assert fewest <= again <= most
        assert len(found.boxes) == len(found.patches) == sum(twice.predictor.sizes)
        assert (found.boxes[len(found.boxes) - again :, 0] < 25).all()


def test_where_a_mask_has_grown_nothing_is_looked_at_again() -> None:
    refiner, image, mask = leaking(2, withdrawn=4)
    refiner.predictor.shown = refiner.predictor.hidden = np.float32(0.6)
    mask[:, :20] = False
    grown = refiner(image, mask)
    assert np.flatnonzero(grown[40])[0] < 20
    assert sum(refiner.predictor.sizes) == len(refiner.cut(image, [Instance(BoxMask.from_frame(mask))]).batch)


def test_both_looks_are_averaged() -> None:
    refiner, image, mask = leaking(2, withdrawn=4)
    found = refiner(image, mask, return_probability=True, return_patches=True)
    (own,) = found.patches
    at = np.array([9, 40])
    on_it = (own.boxes[:, :2] <= at).all(axis=1) & (own.boxes[:, 2:] > at).all(axis=1)
    places = at - own.boxes[on_it, :2]
    said = own.probabilities[on_it][np.arange(len(places)), places[:, 1], places[:, 0]]
    assert {round(float(value), 1) for value in said} == {0.4, 0.2}
    assert found.probability[40, 9] == pytest.approx(np.mean(said))
    assert np.array_equal(found.probability > 0.5, found.masks)


def test_a_second_look_of_one_image_among_several() -> None:
    refiner, image, mask = leaking(2, withdrawn=4)
    clean = np.zeros_like(mask)
    clean[20:60, 30:60] = True
    masks = np.stack([clean, mask, clean])
    refined = list(refiner.stream([(image, masks), (image, masks[:0]), (image, masks[:1])]))
    assert np.array_equal(refined[0][0], clean)
    assert np.array_equal(refined[0][1], leaking(2, withdrawn=4)[0](image, mask))
    assert refined[1].shape == (0, 80, 90)
    assert np.array_equal(refined[2][0], clean)


def test_withdrawn_zero_refines_the_whole_mask_again() -> None:
    refiner, image, mask = leaking(2, withdrawn=0)
    once = leaking(1, withdrawn=0)[0]
    assert np.array_equal(np.flatnonzero(refiner(image, mask)[40]), np.arange(23, 60))
    once(image, once(image, mask))
    assert sum(refiner.predictor.sizes) == sum(once.predictor.sizes)


def test_a_square_around_the_instance_is_looked_at_once() -> None:
    refiner, image, mask = leaking(3, withdrawn=4, kind="instance")
    refiner(image, mask)
    assert refiner.predictor.sizes == [1]
