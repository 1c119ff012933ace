# `starter-free`, step 2: on at 128 px.
_base_ = ['./bpr_mobilenet-v2-detail_1xb32-4000_free-64x64.py']
model = dict(pretrained=None, data_preprocessor=dict(input_side=128))
load_from = 'work_dirs/bpr_mobilenet-v2-detail_1xb32-4000_free-64x64/iter_4000.pth'
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_iters=2000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=100, end=4000, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=400))
