# On from the last part of `starter`, for two passes: wide patches of large instances first, then narrow ones of all.
_base_ = ['./bpr_hrnet-w18s_1xb32-1200_starter-128x128.py']
load_from = "/work/main/work_dirs/bpr_hrnet-w18s_1xb32-1200_starter-128x128/iter_1200.pth"
sources = [
    dict(ann=f'data/starter/{name}_learn.instances.json', img_dir=f'data/starter/images/{name}', share=share,
         results=[f'data/starter/{name}_learn.segm.json', f'data/starter/{name}_learn.refined.segm.json'])
    for name, share in (('coco', 0.45), ('davis', 0.35), ('crisp', 0.2))
]
train_dataloader = dict(dataset=dict(sides=[64, 64, 96, 128], sources=sources))
train_cfg = dict(max_iters=2000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=2000, by_epoch=False),
]
