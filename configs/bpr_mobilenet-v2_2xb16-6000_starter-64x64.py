# `starter` and `starter-fast`, step 1: from ImageNet weights, two processes, 192,000 patches. The rate stays above zero,
# because step 2 continues.
_base_ = ['./bpr_mobilenet-v2_1xb32-320_starter-64x64.py']
refinement = dict(test=dict(blend='centred'))
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=6000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=2e-4, begin=200, end=6000, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=500))
