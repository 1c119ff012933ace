# The one home of the extraction numbers for COCO (authors' code: NMS IoU .15 to train, .25 to refine).
refinement = dict(
    patch=dict(side=64, padding=0, inputs=['rgb', 'mask']),
    train=dict(nms_iou=0.15),
    test=dict(nms_iou=0.25))
