# `starter-free-fast`: the end of `starter-free`, once more at 64 px, the rate falling to zero.
_base_ = ['./bpr_mobilenet-v2-detail_1xb32-2400_free-128x128.py']
model = dict(data_preprocessor=dict(input_side=64))
load_from = 'work_dirs/bpr_mobilenet-v2-detail_1xb32-2400_free-128x128/iter_2400.pth'
train_cfg = dict(max_iters=1200)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=1200, by_epoch=False),
]
