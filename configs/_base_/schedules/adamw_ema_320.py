# Short, for ablations: 10,000 patches in batches of 32, minutes on one CPU core.
_base_ = './adamw_ema.py'
train_cfg = dict(type='IterBasedTrainLoop', max_iters=320)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=40, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=40, end=320, by_epoch=False),
]
