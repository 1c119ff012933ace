# ResNet-18, with the stem of bpr_resnet-50.py.
_base_ = './bpr_resnet-50.py'
model = dict(
    pretrained='open-mmlab://resnet18_v1c', backbone=dict(depth=18), decode_head=dict(in_channels=[64, 128, 256, 512]))
