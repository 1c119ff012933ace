# A network of three convolutions, in place of those of configs/_base_/models.
_base_ = '../../configs/_base_/models/bpr.py'
custom_imports = dict(imports=['bpr.training.registry', 'tests.training.toy_network'], allow_failed_imports=False)
model = dict(
    pretrained=None,
    backbone=dict(type='bpr.ToyBackbone', norm_cfg={{_base_.norm_cfg}}),
    decode_head=dict(in_index=(0, 1), in_channels=[16, 16], channels=16))
