# The same data from a patch store, for machines on which cutting while training would keep the network waiting.
_base_ = ['./bpr_hrnet-w18s_1xb32-3000_own-64x64.py']
train_dataloader = dict(
    batch_size=32,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    collate_fn=dict(_delete_=True, type='default_collate'),
    dataset=dict(
        _delete_=True,
        type='bpr.PatchDataset',
        stores=['data/patches/own'],
        patch={{_base_.refinement.patch}},
        pipeline={{_base_.train_dataloader.dataset.pipeline}}))
