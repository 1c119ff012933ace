# `starter` and `starter-fast`, step 2a: continues step 1 at 128 px until the rate is zero. 70 % of the coarse masks are real,
# half of these refined once.
_base_ = ['./bpr_mobilenet-v2_2xb16-6000_starter-64x64.py']
model = dict(pretrained=None, data_preprocessor=dict(input_side=128))
load_from = 'work_dirs/bpr_mobilenet-v2_2xb16-6000_starter-64x64/iter_6000.pth'
sources = [
    dict(ann=f'data/starter/{name}_learn.instances.json', img_dir=f'data/starter/images/{name}', share=share,
         results=[f'data/starter/{name}_learn.segm.json', f'data/starter/{name}_learn.refined.segm.json'])
    for name, share in (('coco', 0.45), ('davis', 0.25), ('crisp', 0.3))]
train_dataloader = dict(dataset=dict(real=0.7, refined=0.1, sources=sources))
optim_wrapper = dict(optimizer=dict(lr=4e-4))
train_cfg = dict(max_iters=3000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=50, end=3000, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=250))
