# Masks of all makers at 64 px, on from a starter's weights (DetailHead begins as what they said). The rate stays above zero:
# the config of 128 px goes on.
_base_ = [
    './_base_/models/bpr_mobilenet-v2-detail.py', './_base_/datasets/any_masks.py',
    './_base_/schedules/adamw_ema.py', './_base_/default_runtime.py',
]
model = dict(pretrained=None, data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
load_from = 'data/starter/start-64.pth'
refinement = dict(test=dict(blend='centred'))
custom_hooks = _base_.custom_hooks + [dict(type='bpr.CalibrateNormHook', batches=16)]
optim_wrapper = dict(optimizer=dict(lr=6e-4))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=6000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=2e-4, begin=200, end=16000, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=1000))
