import copy

import torch
from torch import nn

from bpr.models.mask_stem import add_mask_stem


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
