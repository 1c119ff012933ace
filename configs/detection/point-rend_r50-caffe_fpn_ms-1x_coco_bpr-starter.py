_base_ = 'mmdet::point_rend/point-rend_r50-caffe_fpn_ms-1x_coco.py'
custom_imports = dict(imports=['bpr.integrations.mmdetection'], allow_failed_imports=False)

model = dict(_delete_=True, type='bpr.RefinedDetector', detector=_base_.model, refiner=dict(model='starter'))
test_evaluator = dict(_delete_=True, type='bpr.BeforeAfterEvaluator', metrics=_base_.test_evaluator)
