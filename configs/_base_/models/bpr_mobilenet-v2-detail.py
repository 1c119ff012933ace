# MobileNetV2 whose head also reads the features of stride 2 and the input: it can return a mask as it came, pixel by pixel.
_base_ = './bpr_mobilenet-v2.py'
model = dict(
    backbone=dict(out_indices=(0, 1, 2, 4, 6)),
    decode_head=dict(type='bpr.DetailHead', in_index=(1, 2, 3, 4), detail_index=0, detail_channels=16, input_channels=5))
