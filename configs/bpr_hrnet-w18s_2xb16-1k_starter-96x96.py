# Second half of the starter model: from the 64 px weights to 96 px input, the rate falling to zero.
_base_ = ['./bpr_hrnet-w18s_2xb16-4500_starter-64x64.py']
model = dict(data_preprocessor=dict(input_side=96))
load_from = 'work_dirs/bpr_hrnet-w18s_2xb16-4500_starter-64x64/iter_4500.pth'
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_iters=1000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=1000, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=250))
