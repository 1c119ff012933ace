# The fast network: the end of the 128 px one, once more at 64 px, the rate falling to zero.
_base_ = ['./bpr_mobilenet-v2-detail_1xb32-2800_any-mask-128x128.py']
model = dict(data_preprocessor=dict(input_side=64))
load_from = 'work_dirs/bpr_mobilenet-v2-detail_1xb32-2800_any-mask-128x128/iter_2800.pth'
train_cfg = dict(max_iters=1500)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=1500, by_epoch=False),
]
