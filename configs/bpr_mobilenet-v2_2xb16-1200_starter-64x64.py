# `starter-fast`, step 3: continues the average of steps 2a and 2b at 64 px.
_base_ = ['./bpr_mobilenet-v2_2xb16-3000_starter-128x128.py']
model = dict(data_preprocessor=dict(input_side=64))
load_from = 'data/starter/averaged.pth'
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_cfg = dict(max_iters=1200)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=1200, by_epoch=False),
]
