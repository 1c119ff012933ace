# The smallest network of the package on a patch store: trained and exported in seconds.
_base_ = [
    '../../configs/_base_/models/bpr_mobilenet-v2.py', '../../configs/_base_/datasets/starter_patches.py',
    '../../configs/_base_/schedules/adamw_ema.py', '../../configs/_base_/default_runtime.py',
]
model = dict(pretrained=None, data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
param_scheduler = [dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False)]
