# The recipe of `starter` and `starter-fast`, short. Starts from ImageNet weights whose norms were folded, so the norms are
# calibrated first.
_base_ = [
    './_base_/models/bpr_mobilenet-v2.py', './_base_/datasets/starter_images.py',
    './_base_/schedules/adamw_ema_320.py', './_base_/default_runtime.py',
]
model = dict(
    pretrained='data/starter/mobilenetv2_100_imagenet.npz',
    data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
custom_hooks = _base_.custom_hooks + [dict(type='bpr.CalibrateNormHook')]
