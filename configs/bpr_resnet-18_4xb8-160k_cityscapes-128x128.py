# The paper's training with another backbone: ResNet-18.
_base_ = [
    './_base_/models/bpr_resnet-18.py', './_base_/datasets/cityscapes_patches.py',
    './_base_/schedules/sgd_160k.py', './_base_/default_runtime.py',
]
