# What the verdict of `starter-free` is fitted on (tools/fit_verdict.py): as verdict_any_masks, from cleared images alone
# (docs/training-data.md), without the masks of a detector. The crisp tenth is kept apart to measure on.
sources = [
    dict(name=name + worn, ann=f'data/free/{name}_{part}.instances.json', img_dir=f'data/free/images/{name}', images=images,
         makers=makers, scale=scale, worn=bool(worn), seed=1)
    for name, part, worn, images, makers, scale in (
        ('davis', 'choose', '', None, 8, 1.0), ('davis16', 'choose', '', None, 8, 1.0), ('coco', 'choose', '', None, 13, 1.0),
        ('davis', 'choose', '', None, 7, 0.2), ('davis16', 'choose', '', None, 7, 0.2),
        ('coco', 'learn', '', None, 10, 1.0),
        ('crisp', 'learn', '', 90, 4, 1.0), ('crisp', 'learn', '', 90, 4, 0.35), ('crisp', 'learn', '', None, 5, 0.12),
        ('davis', 'learn', '', 60, 5, 1.0), ('davis', 'learn', '', 100, 5, 0.2),
        ('davis16', 'learn', '', 60, 5, 1.0), ('davis16', 'learn', '', 100, 5, 0.2),
        ('davis', 'choose', ', worn', None, 6, 1.0), ('davis16', 'choose', ', worn', None, 6, 1.0),
        ('coco', 'choose', ', worn', None, 10, 1.0), ('coco', 'learn', ', worn', None, 3, 1.0),
        ('crisp', 'learn', ', worn', 60, 4, 1.0), ('davis', 'choose', ', worn', None, 6, 0.3),
        ('crisp', 'learn', ', worn', 90, 5, 0.2), ('davis', 'learn', ', worn', 60, 5, 0.5))]
verdict = dict(aversion=10.0, least=0.05)
