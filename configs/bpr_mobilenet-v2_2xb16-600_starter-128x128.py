# `starter`, step 3: continues the average of steps 2a and 2b until the rate is zero. `starter` is the mean of both.
_base_ = ['./bpr_mobilenet-v2_2xb16-3000_starter-128x128.py']
load_from = 'data/starter/averaged.pth'
custom_hooks = [
    dict(type='EMAHook', ema_type='bpr.WarmedUpAverage', momentum=0.005, update_buffers=True),
    dict(type='bpr.CalibrateNormHook'),
]
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_cfg = dict(max_iters=600)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=600, by_epoch=False),
]
