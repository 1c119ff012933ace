# ResNet-50 with a stem of three 3x3 convolutions (MMSegmentation's v1c); the mask joins the first of them. The last stage is
# dilated, so the deepest features have stride 16; at stride 32, a 64 px input would shrink to 2x2 cells.
_base_ = './bpr.py'
model = dict(
    pretrained='open-mmlab://resnet50_v1c',
    backbone=dict(
        type='mmseg.ResNetV1c',
        depth=50,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        contract_dilation=True,
        norm_cfg={{_base_.norm_cfg}}),
    decode_head=dict(in_channels=[256, 512, 1024, 2048], channels=128))
