# On at 128 px, the rate falling to zero.
_base_ = ['./bpr_mobilenet-v2-detail_1xb32-16000_any-mask-64x64.py']
model = dict(data_preprocessor=dict(input_side=128))
load_from = 'work_dirs/bpr_mobilenet-v2-detail_1xb32-16000_any-mask-64x64/iter_16000.pth'
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=100, end=16000, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=400))
