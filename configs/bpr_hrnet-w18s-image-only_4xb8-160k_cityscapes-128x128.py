# The paper's ablation: the image patch without its mask. Extract its patches with this config, which reads three channels.
_base_ = './bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128.py'
image_only = ['rgb']
refinement = dict(patch=dict(inputs=image_only))
model = dict(data_preprocessor=dict(inputs=image_only))
train_dataloader = dict(
    dataset=dict(stores=['data/patches/cityscapes_train_image-only'], patch=dict(inputs=image_only)))
