# On at 128 px.
_base_ = ['./bpr_mobilenet-v2-detail_1xb32-6000_any-mask-64x64.py']
model = dict(data_preprocessor=dict(input_side=128))
load_from = 'work_dirs/bpr_mobilenet-v2-detail_1xb32-6000_any-mask-64x64/iter_6000.pth'
optim_wrapper = dict(optimizer=dict(lr=4e-4))
train_cfg = dict(max_iters=3200)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=100, end=6000, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=400))
