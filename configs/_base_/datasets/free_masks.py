# As any_masks, from sources alone whose images anyone may use (docs/training-data.md). All coarse masks are made from the ground
# truth, because the detector of the other models learned from images that are not cleared.
_base_ = ['./any_masks.py']
sources = [
    dict(ann=f'data/free/{name}_learn.instances.json', img_dir=f'data/free/images/{name}', share=share, scale=scale)
    for name, share, scale in (
        ('coco', 0.3, (0.7, 1.4)), ('davis', 0.22, (0.4, 1.4)), ('davis16', 0.22, (0.4, 1.4)), ('crisp', 0.26, (0.3, 1.4)))]
train_dataloader = dict(dataset=dict(sources=sources, real=0.0, perfect=0.2))
