# `hrnet-w18s`, step 2: continues step 1 at 96 px until the rate is zero, two thirds of the samples real.
_base_ = ['./bpr_hrnet-w18s_2xb16-3500_starter-64x64.py']
model = dict(data_preprocessor=dict(input_side=96))
load_from = 'work_dirs/bpr_hrnet-w18s_2xb16-3500_starter-64x64/iter_3500.pth'
real = [f'data/patches/{name}_real' for name in ('coco', 'davis', 'crisp')] * 4 + ['data/patches/davis_real'] * 3
train_dataloader = dict(dataset=dict(stores=real + [f'data/patches/{name}_synth' for name in ('coco', 'davis', 'crisp')]))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_iters=900)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=900, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=300))
