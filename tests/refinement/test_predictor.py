import numpy as np
import pytest

from bpr.geometry.masks import BoxMask
from bpr.refinement.predictor import IdentityPredictor, OraclePredictor
from bpr.refinement.refiner import Refiner

IMAGE = np.zeros((100, 140, 3), np.uint8)


def square(margin: int) -> np.ndarray:
    mask = np.zeros((100, 140), bool)
    mask[30 - margin : 70 + margin, 40 - margin : 90 + margin] = True
    return mask


def test_identity_returns_what_came_in() -> None:
    rng = np.random.default_rng(1)
    masks = rng.random((5, 100, 140)) < 0.5
    masks[3] = False
    masks[4] = True
    assert np.array_equal(Refiner(IdentityPredictor())(IMAGE, masks), masks)


def test_the_oracle_moves_the_boundary_onto_the_truth() -> None:
    refiner = Refiner(OraclePredictor({0: BoxMask.from_frame(square(0))}))
    assert np.array_equal(refiner(IMAGE, square(6)), square(0))


@pytest.mark.parametrize(("reach", "left_over"), [(1, 3), (2, 2), (3, 1), (9, 0)])
def test_the_oracle_reaches_no_further_than_told(reach: int, left_over: int) -> None:
    # The coarse square is 5 px too large, its boundary band is the outermost row inside and the first outside; from the
    # row inside, a reach of r corrects r rows more: 5 - 1 - r rows too many stay on each side.
    refiner = Refiner(OraclePredictor({0: BoxMask.from_frame(square(0))}, reach))
    refined = refiner(IMAGE, square(5))
    assert np.array_equal(refined[50], square(left_over)[50])
    assert np.array_equal(refined[:, 60], square(left_over)[:, 60])


def test_an_instance_without_truth_stays() -> None:
    assert np.array_equal(Refiner(OraclePredictor({}))(IMAGE, square(2)), square(2))


def test_wrong_arrays_are_named() -> None:
    refiner = Refiner(IdentityPredictor())
    with pytest.raises(ValueError, match=r"masks: expected \(N, 100, 140\)"):
        refiner(IMAGE, np.zeros((1, 100, 139), bool))
    with pytest.raises(ValueError, match=r"image: expected .* uint8 RGB"):
        refiner(IMAGE > 9, square(0))
