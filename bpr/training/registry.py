"""The registries of the scope ``bpr``: children of MMEngine's, so that a config writes ``type='bpr.Name'``.

A config needs ``custom_imports = dict(imports=['bpr.training.registry'])`` and nothing else: MMEngine imports a
registry's ``locations`` when it first looks something up.
"""

from mmengine import registry

from bpr.training import mmcv_ops  # noqa: F401  (has to be imported before any module of mmseg)

NETWORK = [f"bpr.training.network.{name}" for name in ("segmentor", "preprocessor", "detail_head")]
AVERAGE = ["bpr.training.recipe.moving_average"]
DATA = ["bpr.training.data.patch_dataset", "bpr.training.data.image_dataset"]
SAMPLING = ["bpr.training.data.sampling"]

MODELS = registry.Registry("model", parent=registry.MODELS, scope="bpr", locations=[*NETWORK, *AVERAGE])
DATASETS = registry.Registry("dataset", parent=registry.DATASETS, scope="bpr", locations=DATA)
TRANSFORMS = registry.Registry("transform", parent=registry.TRANSFORMS, scope="bpr", locations=DATA[:1])
DATA_SAMPLERS = registry.Registry("data sampler", parent=registry.DATA_SAMPLERS, scope="bpr", locations=SAMPLING)
FUNCTIONS = registry.Registry("function", parent=registry.FUNCTIONS, scope="bpr", locations=SAMPLING)
OPTIM_WRAPPERS = registry.Registry(
    "optim_wrapper", parent=registry.OPTIM_WRAPPERS, scope="bpr", locations=["bpr.training.recipe.runner"]
)
HOOK_MODULES = ["bpr.training.checkpoints", "bpr.training.network.norms", "bpr.integrations.training_pictures"]
HOOKS = registry.Registry("hook", parent=registry.HOOKS, scope="bpr", locations=HOOK_MODULES)
LOOPS = registry.Registry("loop", parent=registry.LOOPS, scope="bpr", locations=["bpr.training.recipe.validation"])
EVALUATOR = registry.Registry(
    "evaluator", parent=registry.EVALUATOR, scope="bpr", locations=["bpr.integrations.mmdetection"]
)
