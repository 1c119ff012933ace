# `hrnet-w18s`, beside step 3: a network at 64 px that refines coarse masks once, for step 4 to learn from.
_base_ = ['./bpr_hrnet-w18s_1xb32-2400_starter-128x128.py']
model = dict(data_preprocessor=dict(input_side=64))
train_cfg = dict(max_iters=1500)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=1500, by_epoch=False),
]
