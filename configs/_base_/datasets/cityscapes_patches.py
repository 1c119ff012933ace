_base_ = ['./patches.py', '../refinement/cityscapes.py']
train_dataloader = dict(dataset=dict(stores=['data/patches/cityscapes_train'], patch={{_base_.refinement.patch}}))
