# `hrnet-w18s`, step 4: 70 % of the coarse masks are real, half of these refined once.
_base_ = ['./bpr_hrnet-w18s_1xb32-2400_starter-128x128.py']
load_from = 'work_dirs/bpr_hrnet-w18s_1xb32-2400_starter-128x128/iter_2400.pth'
sources = [
    dict(ann=f'data/starter/{name}_learn.instances.json', img_dir=f'data/starter/images/{name}', share=share,
         results=[f'data/starter/{name}_learn.segm.json', f'data/starter/{name}_learn.refined.segm.json'])
    for name, share in (('coco', 0.5), ('davis', 0.25), ('crisp', 0.25))
]
train_dataloader = dict(dataset=dict(real=0.7, refined=0.1, sources=sources))
optim_wrapper = dict(optimizer=dict(lr=3e-4))
train_cfg = dict(max_iters=1200)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=1200, by_epoch=False),
]
