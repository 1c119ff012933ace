# Your own images with COCO annotations in data/own/. Patches are cut while the network trains, coarse masks are made from
# the ground truth.
_base_ = [
    './_base_/models/bpr_hrnet-w18s.py', './_base_/datasets/starter_images.py',
    './_base_/schedules/adamw_ema.py', './_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
train_dataloader = dict(
    batch_size=8, dataset=dict(sources=[dict(ann='data/own/train.json', img_dir='data/own/images')], cached_images=500))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=3000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=200, end=3000, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=500))
