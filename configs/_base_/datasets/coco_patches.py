_base_ = ['./patches.py', '../refinement/coco.py']
train_dataloader = dict(dataset=dict(stores=['data/patches/coco_train'], patch={{_base_.refinement.patch}}))
