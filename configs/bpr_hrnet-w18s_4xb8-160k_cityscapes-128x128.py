# The paper's network on Cityscapes: HRNet-W18-small at 128 px.
_base_ = [
    './_base_/models/bpr_hrnet-w18s.py', './_base_/datasets/cityscapes_patches.py',
    './_base_/schedules/sgd_160k.py', './_base_/default_runtime.py',
]
