_base_ = ['./patches.py', '../refinement/coco.py']
train_dataloader = dict(dataset=dict(stores=['data/patches/coco_train'], scheme={{_base_.refinement.scheme}}))
