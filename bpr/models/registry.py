"""Registries of the scope ``bpr``: children of MMEngine's, so that configs write ``type='bpr.Name'``."""

from mmengine import registry

MODELS = registry.Registry("model", parent=registry.MODELS, scope="bpr", locations=["bpr.models"])
DATASETS = registry.Registry(
    "dataset", parent=registry.DATASETS, scope="bpr", locations=["bpr.datasets.patch_dataset", "bpr.datasets.image_dataset"]
)
TRANSFORMS = registry.Registry("transform", parent=registry.TRANSFORMS, scope="bpr", locations=["bpr.datasets.patch_dataset"])
OPTIM_WRAPPERS = registry.Registry("optim_wrapper", parent=registry.OPTIM_WRAPPERS, scope="bpr", locations=["bpr.models"])
HOOKS = registry.Registry("hook", parent=registry.HOOKS, scope="bpr", locations=["bpr.models"])
DATA_SAMPLERS = registry.Registry("data sampler", parent=registry.DATA_SAMPLERS, scope="bpr", locations=["bpr.datasets.sampling"])
FUNCTIONS = registry.Registry("function", parent=registry.FUNCTIONS, scope="bpr", locations=["bpr.datasets.sampling"])
LOOPS = registry.Registry("loop", parent=registry.LOOPS, scope="bpr", locations=["bpr.models"])
EVALUATOR = registry.Registry("evaluator", parent=registry.EVALUATOR, scope="bpr", locations=["bpr.detection"])
