# The default runtime, and in addition the best checkpoint is kept, by the boundary F of refined masks of a held-out set. A leaf
# config sets which set, and how often: val_cfg = dict(results=, annotations=, images=), train_cfg = dict(val_interval=).
_base_ = ['./default_runtime.py']
val_cfg = dict(type='bpr.RefinementValLoop')
val_dataloader = dict()  # MMEngine wants all three or none; the loop reads its own files
val_evaluator = dict()
default_hooks = dict(checkpoint=dict(save_best='F@2px/after', rule='greater'))
