# The recipe of the starter models at the length of the ablations: 20,000 patches of 64 px, minutes on one CPU core.
_base_ = [
    './_base_/models/bpr_hrnet-w18s.py', './_base_/datasets/starter_images.py',
    './_base_/schedules/adamw_ema.py', './_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.scheme.inputs}}))
train_dataloader = dict(batch_size=8)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=640)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=40, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=40, end=640, by_epoch=False),
]
