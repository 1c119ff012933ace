# Patch stores that bpr extract-patches made, with the augmentation of the paper (supplement, training details).
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='bpr.PatchDataset',
        pipeline=[
            dict(type='mmseg.RandomFlip', prob=0.5),
            dict(type='mmseg.PhotoMetricDistortion'),
            dict(type='bpr.PackPatch'),
        ]))
