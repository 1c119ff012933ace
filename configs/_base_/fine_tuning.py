# bpr train --from MODEL: short, from a model's weights, with validation. The command adds the network and the
# refinement of the model, the files of the user, and what depends on the length: the decay of the rate, and when to
# validate. The norms are calibrated, because an exported file has no statistics of them.
_base_ = ['./models/bpr.py', './datasets/starter_images.py', './schedules/adamw_ema.py', './validated_runtime.py']
train_dataloader = dict(batch_size=8, dataset=dict(cached_images=50))
custom_hooks = _base_.custom_hooks + [dict(type='bpr.CalibrateNormHook')]
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=300)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(max_keep_ckpts=1))
