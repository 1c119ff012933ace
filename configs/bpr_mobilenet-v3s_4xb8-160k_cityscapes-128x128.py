# The paper's training with another backbone: MobileNetV3-small.
_base_ = [
    './_base_/models/bpr_mobilenet-v3s.py', './_base_/datasets/cityscapes_patches.py',
    './_base_/schedules/sgd_160k.py', './_base_/default_runtime.py',
]
