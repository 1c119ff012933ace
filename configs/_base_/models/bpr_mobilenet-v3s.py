# MobileNetV3-small as in MMSegmentation, where the deepest features have stride 8; the head reads strides 4, 8 and the last.
_base_ = './bpr.py'
model = dict(
    pretrained='open-mmlab://contrib/mobilenet_v3_small',
    backbone=dict(
        type='mmseg.MobileNetV3', arch='small', out_indices=(1, 3, 12), norm_cfg=dict(type='BN', eps=0.001, requires_grad=True)),
    decode_head=dict(in_channels=[16, 24, 576], in_index=(0, 1, 2), channels=128))
