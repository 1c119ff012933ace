import copy

import pytest
import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from mmengine.model.weight_init import KaimingInit
from torch import nn

from bpr.training.network.mask_stem import add_mask_stem


class Backbone(nn.Module):
    """The first convolution lies below the top, as in backbones built of ConvModules."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stem(x)


def stemmed() -> Backbone:
    torch.manual_seed(0)
    backbone = Backbone().eval()
    add_mask_stem(backbone, 2)
    return backbone


def test_adding_two_convolutions_is_one_with_more_channels() -> None:
    backbone = stemmed()
    x = torch.randn(2, 5, 16, 16)
    together = torch.cat([backbone.stem[0].weight, backbone.conv_mask.weight], dim=1)
    expected = backbone.stem[1](nn.functional.conv2d(x, together, stride=2, padding=1))
    assert torch.allclose(backbone(x), expected, atol=1e-6)


def test_state_dict_names_are_those_of_the_backbone_and_conv_mask() -> None:
    names = set(stemmed().state_dict())
    assert {"stem.0.weight", "conv_mask.weight"} <= names
    assert len(names) == len(Backbone().state_dict()) + 1


def test_a_copy_uses_its_own_mask_weights() -> None:
    backbone = stemmed()
    twin = copy.deepcopy(backbone)
    nn.init.zeros_(backbone.conv_mask.weight)
    x = torch.randn(1, 5, 8, 8)
    assert not torch.allclose(twin(x), backbone(x))
    nn.init.zeros_(twin.conv_mask.weight)
    assert torch.equal(twin(x), backbone(x))


def test_without_further_channels_the_backbone_stays_as_it_is() -> None:
    backbone = Backbone()
    add_mask_stem(backbone, 0)
    assert type(backbone.stem[0]) is nn.Conv2d
    assert backbone.state_dict().keys() == Backbone().state_dict().keys()


def test_the_mask_is_padded_as_the_image_is() -> None:
    """MobileNetV3 pads 16 px by none before and one after, as TensorFlow does; a mask padded on both sides would lie off by one."""
    backbone = Backbone()
    backbone.stem[0] = Conv2dAdaptivePadding(3, 8, 3, 2, bias=False)
    add_mask_stem(backbone, 3)
    backbone.conv_mask.load_state_dict(backbone.stem[0].state_dict())
    image, nothing = torch.randn(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    by_image, by_mask = (backbone.stem[0](torch.cat(pair, 1)) for pair in ((image, nothing), (nothing, image)))
    assert by_image.shape == (1, 8, 8, 8)
    assert torch.equal(by_image, by_mask)


@pytest.mark.parametrize("kind", [nn.Conv2d, Conv2dAdaptivePadding])
def test_initialisers_still_find_the_first_convolution(kind: type[nn.Conv2d]) -> None:
    backbone = Backbone()
    backbone.stem[0] = kind(3, 8, 3, 2, 1, bias=False)
    add_mask_stem(backbone, 1)
    before = backbone.stem[0].weight.clone(), backbone.conv_mask.weight.clone()
    KaimingInit(layer="Conv2d")(backbone)
    assert not torch.equal(before[0], backbone.stem[0].weight)
    assert not torch.equal(before[1], backbone.conv_mask.weight)


def test_a_stem_with_a_bias_adds_it_once() -> None:
    backbone = Backbone()
    backbone.stem[0] = nn.Conv2d(3, 8, 5, padding=2, dilation=1)
    add_mask_stem(backbone, 1)
    assert torch.allclose(backbone.stem[0](torch.zeros(1, 4, 6, 6)), backbone.stem[0].bias.view(1, -1, 1, 1).expand(1, 8, 6, 6))
