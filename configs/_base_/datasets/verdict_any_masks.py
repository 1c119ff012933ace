# What the verdict of a packaged model is fitted on (tools/fit_verdict.py): masks of all makers on train splits, in part on
# images that the network did not see. The crisp tenth is kept apart to measure on. Crisp objects are also seen small:
# no crisp set has small ones.
sources = [
    dict(name=name, ann=f'data/starter/{name}_{part}.instances.json', results=f'data/starter/{name}_{part}.segm.json',
         img_dir=f'data/starter/images/{name}', images=images, makers=makers, scale=scale)
    for name, part, images, makers, scale in (
        ('coco', 'choose', None, 10, 1.0), ('coco', 'learn', 80, 4, 1.0),
        ('davis', 'choose', None, 11, 1.0), ('davis', 'choose', None, 7, 0.4), ('davis', 'choose', None, 7, 0.15),
        ('davis', 'learn', 50, 5, 1.0), ('davis', 'learn', 100, 5, 0.2),
        ('davis16', 'choose', None, 7, 1.0), ('davis16', 'choose', None, 7, 0.15),
        ('davis16', 'learn', 60, 5, 0.4), ('davis16', 'learn', 100, 5, 0.2),
        ('crisp', 'learn', 150, 5, 1.0), ('crisp', 'learn', 100, 5, 0.3), ('crisp', 'learn', 200, 5, 0.12))]
verdict = dict(aversion=6.0, least=0.05)
