import torch

from bpr.training.network.preprocessor import PatchPreprocessor


def test_channels_stay_rgb_and_reach_their_ranges() -> None:
    # Red 255, green 0, blue 128; mask 0 and 255; evidence 1, 128, 255. MMSegmentation's own preprocessor would leave
    # more than three channels in the order BGR without a word.
    patches = torch.zeros(3, 5, 8, 8, dtype=torch.uint8)
    patches[:, 0], patches[:, 2] = 255, 128
    patches[1:, 3] = 255
    patches[0, 4], patches[1, 4], patches[2, 4] = 1, 128, 255
    x = PatchPreprocessor(8, ("rgb", "mask", "evidence")).normalise(patches)
    assert torch.allclose(x[0, :, 0, 0], torch.tensor([(255 - 123.675) / 58.395, -116.28 / 57.12, (128 - 103.53) / 57.375, -1, -1]))
    assert x[:, 3, 0, 0].tolist() == [-1, 1, 1]
    assert x[:, 4, 0, 0].tolist() == [-1, 0, 1]


def test_the_mask_is_resized_to_the_nearest_pixel_and_colours_are_not() -> None:
    patches = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    patches[..., 2:] = 255
    x = PatchPreprocessor(16).normalise(patches)
    assert x[0, 3].unique().tolist() == [-1, 1]
    assert len(x[0, 0].unique()) > 2
    assert x.shape == (1, 4, 16, 16)
