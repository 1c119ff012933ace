# Last part of `starter-fast`, as that of `starter`.
_base_ = ['./bpr_hrnet-w18s_1xb32-1200_starter-128x128.py']
model = dict(data_preprocessor=dict(input_side=64))
load_from = 'work_dirs/bpr_hrnet-w18s_1xb32-1500_starter-64x64/iter_1500.pth'
train_cfg = dict(max_iters=600)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=600, by_epoch=False),
]
