# `hrnet-w18s`, step 3: continues step 2 at 128 px until the rate is zero. Two hours on one CPU core.
_base_ = ['./bpr_hrnet-w18s_1xb32-320_starter-64x64.py']
model = dict(data_preprocessor=dict(input_side=128))
load_from = 'data/starter/predecessor.pth'
custom_hooks = _base_.custom_hooks + [dict(type='bpr.CalibrateNormHook')]
optim_wrapper = dict(optimizer=dict(lr=6e-4))
train_cfg = dict(max_iters=2400)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=2400, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=200))
