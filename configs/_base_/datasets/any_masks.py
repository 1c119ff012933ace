# As starter_images, with masks of all makers, right ones among them. Crisp truth is also seen small: street scenes and crowds
# are full of small objects, and no crisp set is.
_base_ = ['./starter_images.py']
sources = [
    dict(ann=f'data/starter/{name}_learn.instances.json', results=f'data/starter/{name}_learn.segm.json',
         img_dir=f'data/starter/images/{name}', share=share, scale=scale)
    for name, share, scale in (
        ('coco', 0.3, (0.7, 1.4)), ('davis', 0.2, (0.4, 1.4)), ('davis16', 0.2, (0.4, 1.4)), ('crisp', 0.3, (0.3, 1.4)))]
train_dataloader = dict(dataset=dict(sources=sources, synthetic='all', real=0.45, refined=0.08, native=0.4))
