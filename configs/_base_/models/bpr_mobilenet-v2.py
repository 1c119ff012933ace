# MobileNetV2. The last stage is dilated, so the deepest features have stride 16; at stride 32, a 64 px input would shrink to
# 2x2 cells. With pretrained=FILE.npz (folded norms), add custom_hooks=[dict(type='bpr.CalibrateNormHook')].
_base_ = './bpr.py'
model = dict(
    pretrained='mmcls://mobilenet_v2',
    backbone=dict(
        type='mmseg.MobileNetV2',
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(1, 2, 4, 6),
        norm_cfg={{_base_.norm_cfg}}),
    decode_head=dict(in_channels=[24, 32, 96, 320], channels=128))
