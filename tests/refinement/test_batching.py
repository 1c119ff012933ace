import numpy as np

from bpr.geometry.masks import BoxMask
from bpr.geometry.options import PatchSpec, RefineOptions
from bpr.refinement.batching import predict_images
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
