import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.refinement.batching import predict_images
from bpr.refinement.outcome import StageClock
from bpr.refinement.predictor import Instance, PatchBatch
from bpr.refinement.refiner import Refiner


class Recorder:
    """Answers with the mask, and remembers how large its batches were."""

    def __init__(self, batch_size: int) -> None:
        self.spec, self.recommended = PatchSpec(side=16), RefineOptions()
        self.batch_size, self.sizes = batch_size, []

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
    cuts = [refiner.cut(image, disks(seed, count), None) for seed, count in enumerate([3, 0, 1, 4, 0])]
    predicted = list(predict_images(predictor, cuts))
    assert [p.cut for p in predicted] == cuts
    assert all(size == 7 for size in predictor.sizes[:-1])
    assert sum(predictor.sizes) == sum(len(cut.batch) for cut in cuts)
    for one in predicted:
        assert np.array_equal(one.probabilities, one.cut.batch.patches[..., 3] / np.float32(255))
        assert all(a.mask.equals(i.mask) for a, i in zip(refiner.put_back(one), one.cut.instances, strict=True))


def test_no_images_and_no_patches() -> None:
    predictor = Recorder(4)
    assert list(predict_images(predictor, [])) == []
    full = Instance(BoxMask.from_frame(np.ones((20, 20), bool)))
    (only,) = predict_images(predictor, [Refiner(predictor).cut(np.zeros((20, 20, 3), np.uint8), [full], None)])
    assert only.probabilities.shape == (0, 16, 16)
    assert predictor.sizes == []


def test_progress_counts_patches_that_are_predicted_and_cut() -> None:
    predictor, clock, seen = Recorder(batch_size=7), StageClock(), []
    clock.on_patches = lambda predicted, cut: seen.append((predicted, cut))
    refiner = Refiner(predictor)
    cuts = [refiner.cut(np.zeros((80, 90, 3), np.uint8), disks(seed, 3), None) for seed in range(2)]
    list(predict_images(predictor, cuts, clock))
    first, both = len(cuts[0].batch), sum(len(cut.batch) for cut in cuts)
    assert [done for done, _ in seen] == [*range(7, both, 7), both]
    assert [known for _, known in seen] == [first if done <= first - first % 7 else both for done, _ in seen]


def test_work_that_is_given_up_ends_between_two_batches() -> None:
    predictor, clock = Recorder(batch_size=9), StageClock()
    clock.given_up = lambda: len(predictor.sizes) == 2
    refiner = Refiner(predictor)
    small, large = (refiner.cut(np.zeros((80, 90, 3), np.uint8), disks(seed, count), None) for seed, count in ((0, 1), (1, 9)))
    assert len(small.batch) < 18 < len(large.batch)
    assert [one.cut for one in predict_images(predictor, [small, large], clock)] == [small]
    assert predictor.sizes == [9, 9]
