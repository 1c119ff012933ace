# What the verdict of `starter-free` is fitted on (tools/fit_verdict.py): as verdict_any_masks, from cleared images alone
# (docs/training-data.md), without the masks of a detector. The crisp tenth is kept apart to measure on. The packaged one was
# fitted with half the steps.
sources = [
    dict(name=name, ann=f'data/free/{name}_{part}.instances.json', img_dir=f'data/free/images/{name}',
         images=images, makers=makers, scale=scale)
    for name, part, images, makers, scale in (
        ('coco', 'choose', None, 13, 1.0), ('coco', 'learn', None, 5, 1.0),
        ('davis', 'choose', None, 11, 1.0), ('davis', 'choose', None, 7, 0.4), ('davis', 'choose', None, 7, 0.15),
        ('davis', 'learn', 50, 5, 1.0), ('davis', 'learn', 100, 5, 0.2),
        ('davis16', 'choose', None, 7, 1.0), ('davis16', 'choose', None, 7, 0.15),
        ('davis16', 'learn', 60, 5, 0.4), ('davis16', 'learn', 100, 5, 0.2),
        ('crisp', 'learn', 90, 5, 1.0), ('crisp', 'learn', 90, 5, 0.3), ('crisp', 'learn', None, 5, 0.12))]
verdict = dict(aversion=20.0, boundary_weight=0.0, least=0.05)
