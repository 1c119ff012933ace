# The one home of the extraction numbers for Cityscapes (authors' code: NMS IoU .25 to train, .55 to refine).
refinement = dict(
    patch=dict(side=64, padding=0, inputs=['rgb', 'mask']),
    train=dict(nms_iou=0.25),
    test=dict(nms_iou=0.55))
