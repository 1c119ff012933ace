# `starter-free`, the end: fewer perfect masks, because the verdict protects those.
_base_ = ['./bpr_mobilenet-v2-detail_1xb32-2000_free-128x128.py']
load_from = 'work_dirs/bpr_mobilenet-v2-detail_1xb32-2000_free-128x128/iter_2000.pth'
train_dataloader = dict(dataset=dict(refined=0.05, perfect=0.1))
optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
train_cfg = dict(max_iters=2400)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=2400, by_epoch=False),
]
