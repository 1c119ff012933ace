# Where patches lie on Cityscapes (authors' code: NMS IoU .25 for training, .55 for refining).
refinement = dict(
    patch=dict(side=64, padding=0, inputs=['rgb', 'mask']),
    train=dict(nms_iou=0.25),
    test=dict(nms_iou=0.55))
