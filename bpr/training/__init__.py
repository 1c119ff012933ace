"""Everything that needs a network in training; a config reaches it through the scope ``bpr``.

    network/    the refinement network: preprocessing, mask stem, backbone and head, pretrained weights
    data/       its training data: patch stores, patches cut from images on the fly, synthetic coarse masks
    recipe/     a config becomes a training: runner, validation, averaging of checkpoints
    export/     PyTorch <-> ONNX, and int8

Importing the package itself loads neither torch nor OpenMMLab, because patch stores are built without them.
"""
