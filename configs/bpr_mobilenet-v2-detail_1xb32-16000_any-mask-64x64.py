# Masks of all makers, right ones among them, at 64 px. On from a starter's weights (DetailHead begins as what they said).
# The rate stays above zero: the config of 128 px goes on.
_base_ = [
    './_base_/models/bpr_mobilenet-v2-detail.py', './_base_/datasets/starter_images.py',
    './_base_/schedules/adamw_ema.py', './_base_/default_runtime.py',
]
model = dict(pretrained=None, data_preprocessor=dict(input_side=64, inputs={{_base_.refinement.patch.inputs}}))
load_from = 'data/starter/start-64.pth'
refinement = dict(test=dict(blend='centred'))
custom_hooks = _base_.custom_hooks + [dict(type='bpr.CalibrateNormHook', batches=16)]
# Crisp truth is also seen small: street scenes and crowds are full of small objects, and no crisp set is.
sources = [
    dict(ann=f'data/starter/{name}_learn.instances.json', results=f'data/starter/{name}_learn.segm.json',
         img_dir=f'data/starter/images/{name}', share=share, scale=scale)
    for name, share, scale in (
        ('coco', 0.3, (0.7, 1.4)), ('davis', 0.2, (0.4, 1.4)), ('davis16', 0.2, (0.4, 1.4)), ('crisp', 0.3, (0.3, 1.4)))]
train_dataloader = dict(dataset=dict(sources=sources, synthetic='all', real=0.45, refined=0.08))
optim_wrapper = dict(optimizer=dict(lr=6e-4))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=16000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=2e-4, begin=200, end=16000, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=1000))
