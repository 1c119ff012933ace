# `starter-free`, step 1: cleared images alone, from ImageNet weights, at 64 px. The rate stays above zero: step 2 goes on.
_base_ = [
    './_base_/models/bpr_mobilenet-v2-detail.py', './_base_/datasets/free_masks.py',
    './_base_/schedules/adamw_ema.py', './_base_/default_runtime.py',
]
model = dict(
    pretrained='data/free/mobilenetv2_100_imagenet.npz',
    data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
refinement = dict(test=dict(blend='centred'))
custom_hooks = _base_.custom_hooks + [dict(type='bpr.CalibrateNormHook')]
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=4000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=3e-4, begin=200, end=4000, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=500))
