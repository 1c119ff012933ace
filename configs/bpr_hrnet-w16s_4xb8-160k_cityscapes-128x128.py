_base_ = [
    './_base_/models/bpr_hrnet-w16s.py', './_base_/datasets/cityscapes_patches.py',
    './_base_/schedules/sgd_160k.py', './_base_/default_runtime.py',
]
