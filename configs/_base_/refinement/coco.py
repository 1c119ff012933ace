# Where patches lie on COCO (authors' code: NMS IoU .15 for training, .25 for refining).
refinement = dict(
    patch=dict(side=64, padding=0, inputs=['rgb', 'mask']),
    train=dict(nms_iou=0.15),
    test=dict(nms_iou=0.25))
