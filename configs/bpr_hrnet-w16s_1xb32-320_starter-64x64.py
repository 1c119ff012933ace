# The same recipe with HRNet-W16-small, a row of the ablations.
_base_ = [
    './_base_/models/bpr_hrnet-w16s.py', './_base_/datasets/starter_images.py',
    './_base_/schedules/adamw_ema_320.py', './_base_/default_runtime.py',
]
model = dict(pretrained=None, data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
