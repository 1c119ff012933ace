_base_ = ['./patches.py', '../refinement/cityscapes.py']
train_dataloader = dict(dataset=dict(stores=['data/patches/cityscapes_train'], scheme={{_base_.refinement.scheme}}))
