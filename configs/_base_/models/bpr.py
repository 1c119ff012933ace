# What all refinement networks share: the preprocessing, and an FCN head of one 1x1 convolution on features of several
# strides, resized to the finest of them and concatenated [authors' code]. The backbone's file adds the rest.
custom_imports = dict(imports=['bpr.training.registry'], allow_failed_imports=False)
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='bpr.PatchSegmentor',
    data_preprocessor=dict(type='bpr.PatchPreprocessor', input_side=128, inputs=['rgb', 'mask']),
    decode_head=dict(
        type='mmseg.FCNHead',
        in_index=(0, 1, 2, 3),
        input_transform='resize_concat',
        kernel_size=1,
        num_convs=1,
        concat_input=False,
        dropout_ratio=-1,
        num_classes=2,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='mmseg.CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
