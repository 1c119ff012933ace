_base_ = 'mmdet::cityscapes/mask-rcnn_r50_fpn_1x_cityscapes.py'
custom_imports = dict(imports=['bpr.integrations.mmdetection'], allow_failed_imports=False)

model = dict(_delete_=True, type='bpr.RefinedDetector', detector=_base_.model, refiner=dict(model='starter'))
test_evaluator = dict(_delete_=True, type='bpr.BeforeAfterEvaluator', metrics=_base_.test_evaluator)
