# For small machines: AdamW and a moving average of the weights. A leaf config sets the length and the decay of the rate.
# bfloat16 (--amp) pays on GPUs and on processors that have it; a processor with AVX2 alone emulates it and gets slower.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.05), clip_grad=dict(max_norm=5.0))
custom_hooks = [dict(type='EMAHook', ema_type='bpr.WarmedUpAverage', momentum=0.002, update_buffers=True)]
