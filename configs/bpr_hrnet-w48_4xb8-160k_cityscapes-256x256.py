# The paper's large network on Cityscapes: HRNet-W48 at 256 px.
_base_ = [
    './_base_/models/bpr_hrnet-w48.py', './_base_/datasets/cityscapes_patches.py',
    './_base_/schedules/sgd_160k.py', './_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(input_side=256))
