"""The registries of the scope ``bpr``: children of MMEngine's, so that a config writes ``type='bpr.Name'``.

A config needs ``custom_imports = dict(imports=['bpr.training.registry'])`` and nothing else: MMEngine imports a
registry's ``locations`` when it first looks something up.
"""

from mmengine import registry

from bpr.training import mmcv_ops  # noqa: F401  (has to be imported before any module of mmseg)

NETWORK = [f"training.network.{name}" for name in ("segmentor", "preprocessor", "detail_head")]


def _child(parent: registry.Registry, *modules: str) -> registry.Registry:
    locations = [f"bpr.{name}" for name in modules]
    return registry.Registry(parent.name, parent=parent, scope="bpr", locations=locations)


MODELS = _child(registry.MODELS, *NETWORK, "training.recipe.moving_average")
DATASETS = _child(registry.DATASETS, "training.data.patch_dataset", "training.data.image_dataset")
TRANSFORMS = _child(registry.TRANSFORMS, "training.data.patch_dataset")
DATA_SAMPLERS = _child(registry.DATA_SAMPLERS, "training.data.sampling")
FUNCTIONS = _child(registry.FUNCTIONS, "training.data.sampling")
OPTIM_WRAPPERS = _child(registry.OPTIM_WRAPPERS, "training.recipe.runner")
HOOKS = _child(registry.HOOKS, "training.checkpoints", "training.network.norms", "integrations.training_pictures")
LOOPS = _child(registry.LOOPS, "training.recipe.validation")
EVALUATOR = _child(registry.EVALUATOR, "integrations.mmdetection")
