# The recipe of `hrnet-w18s`, short, for ablations: batches of 8 instances with 4 patches each.
_base_ = [
    './_base_/models/bpr_hrnet-w18s.py', './_base_/datasets/starter_images.py',
    './_base_/schedules/adamw_ema_320.py', './_base_/default_runtime.py',
]
model = dict(pretrained=None, data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
