# The toy network on a patch store.
_base_ = [
    './toy_model.py', '../../configs/_base_/datasets/starter_patches.py',
    '../../configs/_base_/schedules/adamw_ema.py', '../../configs/_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
param_scheduler = [dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False)]
