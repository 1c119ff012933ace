# The default runtime, and the best checkpoint by the boundary F measure of refined instances of a held-out set.
# A leaf config says which set, and how often: val_cfg = dict(results=, annotations=, images=), train_cfg = dict(val_interval=).
_base_ = ['./default_runtime.py']
val_cfg = dict(type='bpr.RefinementValLoop')
val_dataloader = dict()  # MMEngine asks for all three or none; the loop reads its files itself
val_evaluator = dict()
default_hooks = dict(checkpoint=dict(save_best='F@2px/after', rule='greater'))
