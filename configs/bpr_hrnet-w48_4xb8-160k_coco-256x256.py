# The paper's large network on COCO.
_base_ = [
    './_base_/models/bpr_hrnet-w48.py', './_base_/datasets/coco_patches.py',
    './_base_/schedules/sgd_160k.py', './_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(input_side=256))
