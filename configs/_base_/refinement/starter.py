# The starter models read colour evidence in addition to RGB and mask, and are trained on densely placed patches.
refinement = dict(
    patch=dict(side=64, padding=0, inputs=['rgb', 'mask', 'evidence']),
    train=dict(nms_iou=0.4),
    test=dict(nms_iou=0.25))
