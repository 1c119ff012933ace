# Patches cut while the network trains, from the files that benchmarks/training/split_data.py writes. Half of the coarse masks
# are synthetic.
_base_ = ['./patches.py', '../refinement/starter.py']
data_root = 'data/starter/'
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(_delete_=True, type='bpr.BalancedSampler'),
    collate_fn=dict(type='bpr.collate_instances'),
    dataset=dict(
        type='bpr.ImagePatchDataset',
        sources=[
            dict(ann=f'{data_root}{name}_learn.instances.json', results=f'{data_root}{name}_learn.segm.json',
                 img_dir=f'{data_root}images/{name}', share=share)
            for name, share in (('coco', 0.45), ('davis', 0.25), ('crisp', 0.3))
        ],
        patch={{_base_.refinement.patch}},
        cached_images=2000))
