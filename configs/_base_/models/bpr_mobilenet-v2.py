# MobileNetV2. The deepest features stay at stride 16 (the last stage is dilated): at 32 a 64 px input would shrink to 2x2 cells.
# pretrained=FILE.npz takes folded arrays; add custom_hooks=[dict(type='bpr.CalibrateNormHook')] to it.
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
