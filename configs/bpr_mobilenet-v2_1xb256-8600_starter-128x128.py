# `starter` and `starter-fast`, step 2b: as step 2a, but long, on one GPU, and with more of the crisp data. Steps 2a and 2b
# are averaged.
_base_ = ['./bpr_mobilenet-v2_2xb16-3000_starter-128x128.py']
custom_hooks = [
    dict(type='EMAHook', ema_type='bpr.WarmedUpAverage', momentum=0.004, interval=4, update_buffers=True),
    dict(type='bpr.CalibrateNormHook'),
]
sources = [dict(source, share=share) for source, share in zip(_base_.sources, (0.35, 0.3, 0.35))]
train_dataloader = dict(batch_size=64, num_workers=15, pin_memory=True, dataset=dict(sources=sources))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_iters=8600)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=100, end=8600, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=2150))
