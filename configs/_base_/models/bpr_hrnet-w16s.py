# W18-small with widths that are multiples of 16, as processors' vectors are. There are no ImageNet weights of these widths.
_base_ = './bpr_hrnet-w18s.py'
model = dict(
    pretrained=None,
    backbone=dict(
        extra=dict(
            stage2=dict(num_channels=(16, 32)),
            stage3=dict(num_channels=(16, 32, 64)),
            stage4=dict(num_channels=(16, 32, 64, 128)))),
    decode_head=dict(in_channels=[16, 32, 64, 128], channels=240))
