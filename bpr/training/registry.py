"""Registries of the scope ``bpr``: children of MMEngine's, so that configs write ``type='bpr.Name'``."""

from mmengine import registry

MODELS = registry.Registry("model", parent=registry.MODELS, scope="bpr", locations=["bpr.training"])
DATASETS = registry.Registry(
    "dataset", parent=registry.DATASETS, scope="bpr", locations=["bpr.training.data.patch_dataset", "bpr.training.data.image_dataset"]
)
TRANSFORMS = registry.Registry("transform", parent=registry.TRANSFORMS, scope="bpr", locations=["bpr.training.data.patch_dataset"])
OPTIM_WRAPPERS = registry.Registry("optim_wrapper", parent=registry.OPTIM_WRAPPERS, scope="bpr", locations=["bpr.training"])
HOOKS = registry.Registry("hook", parent=registry.HOOKS, scope="bpr", locations=["bpr.training"])
DATA_SAMPLERS = registry.Registry("data sampler", parent=registry.DATA_SAMPLERS, scope="bpr", locations=["bpr.training.data.sampling"])
FUNCTIONS = registry.Registry("function", parent=registry.FUNCTIONS, scope="bpr", locations=["bpr.training.data.sampling"])
LOOPS = registry.Registry("loop", parent=registry.LOOPS, scope="bpr", locations=["bpr.training"])
EVALUATOR = registry.Registry("evaluator", parent=registry.EVALUATOR, scope="bpr", locations=["bpr.integrations.mmdetection"])
