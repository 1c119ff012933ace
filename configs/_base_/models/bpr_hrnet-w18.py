# HRNetV2-W18: the widths of W18-small, with four blocks per branch and more modules.
_base_ = './bpr_hrnet-w18s.py'
model = dict(
    pretrained='open-mmlab://msra/hrnetv2_w18',
    backbone=dict(
        extra=dict(
            stage1=dict(num_blocks=(4, )),
            stage2=dict(num_blocks=(4, 4)),
            stage3=dict(num_modules=4, num_blocks=(4, 4, 4)),
            stage4=dict(num_modules=3, num_blocks=(4, 4, 4, 4)))))
