# What the verdict of a packaged model is fitted on (tools/fit_verdict.py): masks of all makers on train splits, in part on
# images that the network did not see, in part on images that are made worse. The crisp tenth is kept apart to measure on.
# Crisp objects are also seen small: no crisp set has small ones.
sources = [
    dict(name=name + worn, ann=f'data/starter/{name}_{part}.instances.json',
         results=f'data/starter/{name}_{part}.segm.json', img_dir=f'data/starter/images/{name}', images=images,
         makers=makers, scale=scale, worn=bool(worn), seed=1)
    for name, part, worn, images, makers, scale in (
        ('davis', 'choose', '', None, 8, 1.0), ('davis16', 'choose', '', None, 8, 1.0), ('coco', 'choose', '', None, 6, 1.0),
        ('davis', 'choose', '', None, 7, 0.2), ('davis16', 'choose', '', None, 7, 0.2),
        ('coco', 'learn', '', None, 4, 1.0),
        ('crisp', 'learn', '', 200, 4, 1.0), ('crisp', 'learn', '', 200, 4, 0.35), ('crisp', 'learn', '', 250, 5, 0.12),
        ('davis', 'learn', '', 60, 5, 1.0), ('davis', 'learn', '', 100, 5, 0.2),
        ('davis16', 'learn', '', 60, 5, 1.0), ('davis16', 'learn', '', 100, 5, 0.2),
        ('davis', 'choose', ', worn', None, 6, 1.0), ('davis16', 'choose', ', worn', None, 6, 1.0),
        ('coco', 'choose', ', worn', None, 5, 1.0), ('crisp', 'learn', ', worn', 80, 4, 1.0),
        ('davis', 'choose', ', worn', None, 6, 0.3), ('davis16', 'choose', ', worn', None, 6, 0.3),
        ('crisp', 'learn', ', worn', 150, 5, 0.2), ('davis', 'learn', ', worn', 60, 5, 0.5))]
verdict = dict(aversion=100.0, boundary_weight=1.0, least=0.05)
