"""Patches cut on the fly: what a training sees when there is no store."""

from __future__ import annotations

from itertools import islice
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from bpr.errors import BPRError
from bpr.geometry.masks import BoxMask
from bpr.geometry.rle import decode_mask
from bpr.training.data.image_dataset import (
    ImagePatchDataset,
    TrainingInstance,
    balanced_weights,
    load_instances,
    moved_towards,
)
from bpr.training.data.sampling import BalancedSampler, collate_instances
from tests.conftest import SmallSet
from tests.test_errors import turned_photo

SCHEME = {"side": 32, "inputs": ["rgb", "mask", "evidence"]}


def seed_worker(seed: int) -> None:
    """As MMEngine seeds every loading process."""
    np.random.seed(seed)  # noqa: NPY002


def dataset(data: SmallSet, results: bool = True, **options: Any) -> ImagePatchDataset:
    source = {"ann": str(data.ann), "img_dir": str(data.images), "results": str(data.results) if results else []}
    return ImagePatchDataset(
        [source], SCHEME, [{"type": "bpr.PackPatch"}], **{"scale": (1.0, 1.0), "refined": 0.0, **options}
    )


def masks_and_truths(samples: list[dict[str, Any]]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(s["inputs"][3].numpy() > 0, s["truth"].numpy() > 0) for s in samples]


def test_an_item_holds_patches_of_one_instance_on_its_coarse_boundary(small_set: SmallSet) -> None:
    seed_worker(0)
    samples = dataset(small_set, patches=3)[0]
    assert len(samples) == 3
    for sample, (mask, truth) in zip(samples, masks_and_truths(samples), strict=True):
        assert sample["inputs"].shape == (5, 32, 32)
        assert truth.shape == (32, 32)
        assert 0 < mask.sum() < mask.size


def test_real_masks_are_those_of_the_results_and_synthetic_ones_differ(small_set: SmallSet) -> None:
    seed_worker(0)
    # The results are the truth grown by two pixels, so a real mask holds all of the truth and more.
    real = [pair for index in range(4) for pair in masks_and_truths(dataset(small_set, real=1.0)[index])]
    assert all((truth <= mask).all() for mask, truth in real)
    assert all(mask.sum() > truth.sum() for mask, truth in real)
    for no_real_masks in (dataset(small_set, real=0.0), dataset(small_set, results=False, real=1.0)):
        pairs = [pair for index in range(4) for pair in masks_and_truths(no_real_masks[index])]
        assert not all((truth <= mask).all() for mask, truth in pairs)


def test_equal_seeds_give_equal_samples(small_set: SmallSet) -> None:
    data = dataset(small_set, scale=(0.5, 2.0), refined=0.5)
    drawn = []
    for seed in (1, 1, 2):
        seed_worker(seed)
        drawn.append(np.stack([sample["inputs"].numpy() for sample in data[2]]))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_scale_jitter_resizes_image_masks_and_truth_alike(small_set: SmallSet, factor: float) -> None:
    seed_worker(0)
    for sample in dataset(small_set, real=1.0, scale=(factor, factor), patches=8)[0]:
        bright = sample["inputs"][:3].float().mean(0).numpy() > 115
        truth = sample["truth"].numpy() > 0
        assert bright[truth].mean() > 0.95  # the disks are the bright part of the noise, and the other disk may be near


def test_a_mask_moved_towards_the_truth_lies_between() -> None:
    coarse, truth = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    coarse[5:35, 5:35] = truth[10:30, 10:30] = True
    masks = [BoxMask.from_frame(mask) for mask in (truth, coarse)]
    assert moved_towards(*masks, share=1.0).equals(masks[0])
    assert moved_towards(*masks, share=0.0).equals(masks[1])
    between = moved_towards(*masks, share=0.5).to_frame()
    assert (truth <= between).all()
    assert (between <= coarse).all()
    assert truth.sum() < between.sum() < coarse.sum()


def test_crowds_and_unmatched_detections_stay_out(small_set: SmallSet) -> None:
    small_set.document["annotations"][0]["iscrowd"] = 1
    small_set.write("instances.json", small_set.document)
    instances = load_instances(str(small_set.ann), str(small_set.images), str(small_set.results))
    assert [len(instance.detections) for instance in instances] == [1, 1, 1]
    small_set.write("instances.json", {**small_set.document, "annotations": []})
    with pytest.raises(BPRError, match="expected annotated instances, got none"):
        load_instances(str(small_set.ann), str(small_set.images))


def instance(category: int, area: int) -> TrainingInstance:
    return TrainingInstance("image.png", {"category_id": category, "area": area}, (100, 100))  # type: ignore[arg-type]


def test_rare_classes_and_rare_sizes_weigh_more() -> None:
    # Three large of class 1, one large of class 2, one small of class 1: class counts 4, 1; size counts 4, 1.
    weights = balanced_weights([instance(1, 10000)] * 3 + [instance(2, 10000), instance(1, 500)])
    expected = np.array([1 / 4] * 3 + [1 / 2, 1 / 2])
    assert np.allclose(weights, expected / expected.sum())


def test_shares_weigh_the_sources(small_set: SmallSet) -> None:
    source = {"ann": str(small_set.ann), "img_dir": str(small_set.images)}
    data = ImagePatchDataset([{**source, "share": 3.0}, source], SCHEME, [])
    assert np.isclose(data.weights[:4].sum() / data.weights[4:].sum(), 3.0)


def test_the_sampler_follows_the_weights_and_processes_share_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    class Weighted:
        weights = np.array([0.7, 0.2, 0.1])

    alone = list(islice(BalancedSampler(Weighted(), seed=3), 6000))
    assert np.allclose(np.bincount(alone) / 6000, Weighted.weights, atol=0.02)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr("bpr.training.data.sampling.get_dist_info", lambda rank=rank: (rank, 2))
        shares.append(list(islice(BalancedSampler(Weighted(), seed=3), 3000)))
    assert [index for pair in zip(*shares, strict=True) for index in pair] == alone


def test_a_batch_is_the_samples_of_all_its_instances(small_set: SmallSet) -> None:
    data = dataset(small_set, patches=2)
    batch = collate_instances([data[0], data[3]])
    assert len(batch["inputs"]) == len(batch["truth"]) == 4


def test_all_makers_give_other_synthetic_masks_and_move_some_real_ones(small_set: SmallSet) -> None:
    def inputs(**options: Any) -> list[np.ndarray]:
        seed_worker(3)
        data = dataset(small_set, **options)
        return [mask for _ in range(10) for mask, _ in masks_and_truths(data[2])]

    plain, every = (inputs(real=0.0, synthetic=name) for name in ("detectors", "all"))
    assert not all(np.array_equal(*pair) for pair in zip(plain, every, strict=True))
    seed_worker(3)
    data = dataset(small_set, real=1.0, synthetic="all")
    pairs = [pair for _ in range(20) for pair in masks_and_truths(data[2])]
    grown = [bool((truth <= mask).all()) for mask, truth in pairs]  # the results are the truth grown by two pixels
    assert 0.6 < np.mean(grown) < 1


def test_a_source_may_have_a_scale_of_its_own(small_set: SmallSet) -> None:
    source = {"ann": str(small_set.ann), "img_dir": str(small_set.images)}
    data = ImagePatchDataset([{**source, "scale": (0.3, 0.6)}, source], SCHEME, [], scale=(1.0, 2.0))
    assert data.scales == [(0.3, 0.6)] * 4 + [(1.0, 2.0)] * 4


def test_a_share_of_the_regions_keeps_its_scale(small_set: SmallSet) -> None:
    seed_worker(0)
    truth, data = small_set.document["annotations"][0]["area"], dataset(small_set, native=0.5, scale=(2.0, 2.0))
    areas = [data._region(data.instances[0], (2.0, 2.0), np.random.default_rng(seed)).truth.area for seed in range(40)]
    kept = np.isclose(areas, truth)
    assert 0.25 < kept.mean() < 0.75
    assert np.allclose(np.array(areas)[~kept], 4 * truth, rtol=0.1)


def changed_list(data: SmallSet, **more: Any) -> str:
    for image in data.document["images"]:
        image |= more
    return str(data.write("changed.json", data.document))


@pytest.mark.parametrize("size", [{"height": 121}, {"width": 320, "height": 240}, {"width": 120, "height": 160}])
def test_photos_of_another_size_are_named_before_training(small_set: SmallSet, size: dict[str, int]) -> None:
    for annotation in small_set.document["annotations"]:
        annotation["segmentation"] = [[20, 20, 70, 20, 70, 70, 20, 70]]
    height, width = size.get("height", 120), size.get("width", 160)
    message = f"expected images of the height and width of their masks, got 2 others: 000001.png is 120x160, not {height}x{width}"
    with pytest.raises(BPRError, match=message):
        load_instances(changed_list(small_set, **size), str(small_set.images))


def test_a_photo_that_is_no_image_is_called_so(small_set: SmallSet) -> None:
    (small_set.images / "000001.png").write_bytes(b"no image")
    with pytest.raises(BPRError, match=r"got 1 others: 000001\.png is no image that can be read; correct"):
        load_instances(str(small_set.ann), str(small_set.images))


@pytest.mark.parametrize("size", [{"height": -1, "width": -1}, {"height": None}, {"height": 120.0, "width": 160.0}])
def test_unknown_and_float_sizes_are_no_obstacle(small_set: SmallSet, size: dict[str, Any]) -> None:
    small_set.document["annotations"][0]["segmentation"] = [[20, 20, 70, 20, 70, 70, 20, 70]]
    instances = load_instances(changed_list(small_set, **size), str(small_set.images), str(small_set.results))
    assert [instance.frame for instance in instances] == [(120, 160)] * 4
    assert sum(len(instance.detections) for instance in instances[1:]) == 3


def test_a_turned_photo_is_read_as_its_masks_are(small_set: SmallSet) -> None:
    path = small_set.images / "000001.png"
    turned_photo(small_set.images / "phone.jpg", cv2.imread(str(path)))
    small_set.document["images"][0]["file_name"] = "phone.jpg"
    for annotation in small_set.document["annotations"]:
        annotation["segmentation"] = outlined(annotation["segmentation"])
    small_set.ann = small_set.write("turned.json", small_set.document)
    seed_worker(0)
    data = dataset(small_set, results=False, native=1.0)
    for index in range(4):
        for sample in data[index]:
            colours, truth = sample["inputs"][:3].numpy().mean(axis=0), sample["truth"].numpy() > 0
            if truth.any() and not truth.all():
                assert colours[truth].mean() > colours[~truth].mean() + 80, "the disks are bright"


def outlined(rle: dict[str, Any]) -> list[list[float]]:
    mask = decode_mask(rle).to_frame().astype(np.uint8)
    (contour, *_), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [contour.ravel().astype(float).tolist()]


@pytest.mark.parametrize("segmentation", [None, [], [[]], [[1, 1, 9, 9]]])
def test_objects_without_a_mask_are_not_trained_on(small_set: SmallSet, segmentation: Any) -> None:
    small_set.document["annotations"][1]["segmentation"] = segmentation
    small_set.document["annotations"][2]["iscrowd"] = "1"
    assert len(load_instances(changed_list(small_set), str(small_set.images), str(small_set.results))) == 2


def test_text_ids_mean_the_listed_images(small_set: SmallSet) -> None:
    for record in (*small_set.records, *small_set.document["annotations"]):
        record["image_id"] = str(record["image_id"])
    results = str(small_set.write("texts.json", small_set.records))
    instances = load_instances(changed_list(small_set), str(small_set.images), results)
    assert [(instance.path.name, len(instance.detections)) for instance in instances] == [
        ("000001.png", 1), ("000001.png", 1), ("000002.png", 1), ("000002.png", 1)
    ]  # fmt: skip
