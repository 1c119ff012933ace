import numpy as np

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


class Doubter(Shrinker):
    """A shrinker that is sure where the image is black, and says .6 for foreground where it is white."""

    def predict(self, batch: PatchBatch) -> np.ndarray:
        return super().predict(batch) * np.where(batch.patches[..., 0] > 0, np.float32(0.6), np.float32(1))


def half_white(settled: float, passes: int = 2) -> tuple[Refiner, np.ndarray, np.ndarray]:
    """A refiner, an image that is white on the right, and two squares: one on the black side, one on the white."""
    image, masks = np.zeros((80, 90, 3), np.uint8), np.zeros((2, 80, 90), bool)
    image[:, 45:], masks[0, 20:60, 5:40], masks[1, 20:60, 50:85] = 255, True, True
    predictor = Doubter(batch_size=7)
    predictor.scheme = predictor.scheme.changed(passes=passes, settled=settled)
    return Refiner(predictor), image, masks


def test_a_settled_mask_goes_through_no_further_pass() -> None:
    refiner, image, masks = half_white(settled=1)
    refined = refiner(image, masks)
    assert np.array_equal(np.flatnonzero(refined[0][40]), np.arange(5 + 1, 40))
    assert np.array_equal(np.flatnonzero(refined[1][40]), np.arange(50 + 2, 85))
    alone = [half_white(settled=0, passes=passes)[0](image, masks) for passes in (1, 2)]
    assert np.array_equal(refined[0], alone[0][0])
    assert np.array_equal(refined[1], alone[1][1])


def test_only_patches_of_unsettled_masks_are_asked_again() -> None:
    refiner, image, masks = half_white(settled=1)
    cut = refiner.cut(image, [Instance(BoxMask.from_frame(mask)) for mask in masks])
    (predicted,) = refiner.predict([cut])
    asked = sum(refiner.predictor.sizes)
    assert cut.counts[0] > 0
    assert asked == predicted.cut.patches == cut.counts[0] + cut.counts[1] + predicted.cut.counts[1]
    assert predicted.cut.counts[0] == cut.counts[0]


def test_the_probability_of_a_settled_mask_is_that_of_its_last_pass() -> None:
    refiner, image, masks = half_white(settled=1)
    once, image, masks = half_white(settled=0, passes=1)
    twice = refiner(image, masks, return_probability=True, return_patches=True)
    first = once(image, masks, return_probability=True, return_patches=True)
    assert np.array_equal(twice.probability[0], first.probability[0])
    assert np.array_equal(twice.patches[0].probabilities, first.patches[0].probabilities)
    assert not np.array_equal(twice.probability[1], first.probability[1])


def test_nothing_is_settled_by_default() -> None:
    refiner, image, masks = half_white(settled=0)
    assert np.array_equal(np.flatnonzero(refiner(image, masks)[0][40]), np.arange(5 + 2, 40))


def test_all_masks_settled_and_none_to_refine() -> None:
    refiner, image, masks = half_white(settled=1)
    assert np.array_equal(np.flatnonzero(refiner(image, masks[:1])[0][40]), np.arange(5 + 1, 40))
    assert refiner(image, masks[:0]).shape == (0, 80, 90)
