# Second half of the starter model: from the 64 px weights to 96 px input, two thirds of the samples real, the rate falling to zero.
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
