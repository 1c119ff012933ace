# The paper's network on COCO.
_base_ = [
    './_base_/models/bpr_hrnet-w18s.py', './_base_/datasets/coco_patches.py',
    './_base_/schedules/sgd_160k.py', './_base_/default_runtime.py',
]
