# The starter models see colour evidence besides RGB and mask, and train on densely cut patches.
refinement = dict(
    patch=dict(side=64, padding=0, inputs=['rgb', 'mask', 'evidence']),
    train=dict(nms_iou=0.4),
    test=dict(nms_iou=0.25))
