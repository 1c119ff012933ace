"""From a config to MMEngine's runner, on GPUs or on a CPU, in one process or in several."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import itertools
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner, find_latest_checkpoint

from bpr.errors import BPRError, did_you_mean, shown
from bpr.refinement.sharing.launchers import launched_rank, set_torch_variables
from bpr.training.checkpoints import check_resumable, read_state_dict
from bpr.training.network.segmentor import read_config
from bpr.training.registry import OPTIM_WRAPPERS
from bpr.version import __version__

READ_BY_RUNNER = (
    "find_unused_parameters", "model_wrapper_cfg", "compile", "activation_checkpointing", "efficient_conv_bn_eval",
)  # fmt: skip
"""Keys of a config that MMEngine's runner looks up although they are not among its arguments."""
REMARKS = ("will be deprecated in future", "not found in published_keys")
"""Of remarks of MMEngine about itself and about what the configs want, which look like faults."""
WORKER_ERROR = re.compile(r"Caught \w+ in DataLoader worker process.*\\nbpr\.errors\.\w+: (.*)\\n")
"""How torch passes on an error of a loading process: the same type, its text the whole traceback on one line."""


def build_runner(
    config: str | Path | Config,
    work_dir: str | None = None,
    options: Sequence[str] = (),
    resume: str | None = None,
    amp: Literal["bf16", "fp16"] | None = None,
    launcher: str = "none",
) -> Runner:
    """The runner of a config.

    Args:
        config: a config file, a name that :func:`~bpr.configs.find_config` finds, or a config that was read.
        work_dir: folder of logs and checkpoints; by default ``work_dirs/<config stem>``.
        options: ``key=value`` overrides.
        resume: a checkpoint, or ``auto`` for the newest in the work directory, if there is one.
        amp: forward in bfloat16, or in float16 with scaled losses (on a GPU).
        launcher: one of MMEngine's; on a machine without a GPU, the processes communicate through gloo.

    Raises:
        BPRError: an override that cannot be parsed or that nothing would read, a checkpoint that cannot be used,
            float16 without a GPU, or a launcher that did not start this process.
    """
    cfg = config if isinstance(config, Config) else read_config(config)
    _override(cfg, parse_options(options))
    cfg.work_dir = work_dir or cfg.get("work_dir") or str(Path("work_dirs") / Path(cfg.filename).stem)
    if amp:
        _use_amp(cfg, amp)
    _choose_start(cfg, resume)
    if launcher != "none":
        join_processes(cfg, launcher)
    if importlib.util.find_spec("tensorboard") is None and cfg.get("visualizer"):
        backends = cfg.visualizer.get("vis_backends") or []
        cfg.visualizer.vis_backends = [backend for backend in backends if backend["type"] != "TensorboardVisBackend"]
    # MMEngine writes the config's text again for every checkpoint; to format it as code takes most of a second.
    cfg = Config(cfg.to_dict(), cfg.text, cfg.filename, cfg.env_variables, format_python_code=False)
    return QuietRunner.from_cfg(cfg)


class QuietRunner(Runner):
    """MMEngine's runner, with a line each for the machine, the config and the hooks instead of 400.

    The whole config is in the work dir. An interrupted training says how to go on.
    """

    _trainings = itertools.count()

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        super().setup_env(env_cfg)
        # MMEngine names logs by the second in which a training begins: a second training of this process gets a number.
        if number := next(self._trainings):
            self._timestamp += f"_{number:04}"

    def train(self) -> torch.nn.Module:
        earlier = _newest_checkpoint(self.work_dir)
        try:
            with original_worker_errors():
                return super().train()
        except KeyboardInterrupt:
            saved = _newest_checkpoint(self.work_dir)
            goes_on = saved is not None and (saved != earlier or self._resume)
            remedy = f"{saved} is saved; the same command with --resume goes on"
            self.logger.warning(remedy if goes_on else "no checkpoint was saved; the same command starts again")
            raise

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        logger.addFilter(lambda record: not any(text in record.getMessage() for text in REMARKS))
        return logger

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        gpu = torch.cuda.is_available()
        device = torch.cuda.get_device_name() if gpu else f"CPU, {torch.get_num_threads()} threads"
        versions = f"bpr {__version__}, torch {torch.__version__}, Python {platform.python_version()}"
        self.logger.info(f"{versions}; {device}; process {self.rank + 1} of {self.world_size}; seed {self.seed}")
        name = Path(self.cfg.filename or f"{self.timestamp}.py").name
        self.logger.info(f"the whole config is written to {Path(self.work_dir) / name}")

    def get_hooks_info(self) -> str:
        return ", ".join(type(hook).__name__ for hook in self.hooks)


def _newest_checkpoint(folder: str) -> str | None:
    """As MMEngine notes it."""
    note = Path(folder) / "last_checkpoint"
    return note.read_text().strip() if note.is_file() else None


def parse_options(options: Sequence[str]) -> dict[str, object]:
    """``key=value`` strings, parsed as MMEngine parses its ``--cfg-options``."""
    pairs = [option.partition("=") for option in options]
    for option, (key, equals, _) in zip(options, pairs, strict=True):
        if not key or not equals:
            raise BPRError(f"--cfg-options {option}: expected key=value, such as train_cfg.max_iters=100")
    return {key: _parse_value(key, value) for key, _, value in pairs}


def _parse_value(key: str, text: str) -> object:
    """A value as MMEngine parses it, or the literals and ``dict(...)`` of a config; names stand for their text.

    >>> _parse_value("custom_hooks", "[dict(type=EMAHook, momentum=0.1)]")
    [{'type': 'EMAHook', 'momentum': 0.1}]
    """
    if "dict(" not in text and not text.startswith("{"):
        return DictAction._parse_iterable(text)
    try:
        return _literal(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        expected = "expected dict(name=value, ...) with values that are text, numbers, lists or dict(...)"
        raise BPRError(f"--cfg-options {key}: {expected}, got {shown(text)}; quote it for the shell") from error


def _literal(node: ast.expr) -> object:
    """The value of a parsed expression that holds no code but ``dict(...)``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        if any(word.arg is None for word in node.keywords):
            raise ValueError("dict(**other)")
        return {word.arg: _literal(word.value) for word in node.keywords}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(key) if key is not None else None for key in node.keys]
        return {key: _literal(value) for key, value in zip(keys, node.values, strict=True)}
    if isinstance(node, (ast.Name, ast.Attribute)):
        return ast.unparse(node)
    return ast.literal_eval(node)


def _override(cfg: Config, values: dict[str, object]) -> None:
    """Set ``values`` by their dotted keys.

    The first part of a key has to be in the config or one that MMEngine reads; anything else is taken for a typing
    error. Below a key of the config, new keys may be added, as to ``visualizer``.
    """
    known = {*cfg.keys(), *inspect.signature(Runner).parameters, *READ_BY_RUNNER}
    for key in values:
        first = key.partition(".")[0]
        if first not in known:
            remedy = did_you_mean(first, known) or f"; it has {', '.join(sorted(cfg.keys()))}"
            raise BPRError(f"--cfg-options {key}: expected a key of the config, got {first!r}{remedy}")
    try:
        cfg.merge_from_dict(values)
    except (KeyError, TypeError, AttributeError) as error:
        expected = "expected keys that the config has"
        raise BPRError(f"--cfg-options: {expected}, got another ({error}); correct the dotted key") from error


def _use_amp(cfg: Config, amp: Literal["bf16", "fp16"]) -> None:
    if amp == "bf16":
        cfg.optim_wrapper.type = "bpr.Bf16OptimWrapper"
    elif torch.cuda.is_available():
        cfg.optim_wrapper.update(type="AmpOptimWrapper", dtype="float16")
    else:
        raise BPRError("--amp fp16: expected a GPU, got none; --amp bf16 trains without one")


def _choose_start(cfg: Config, resume: str | None) -> None:
    """Set where the weights come from, and check the file: MMEngine fails in many ways if it is not a checkpoint."""
    checkpoint = find_latest_checkpoint(cfg.work_dir) if resume == "auto" else resume
    if checkpoint:
        check_resumable(checkpoint)
        cfg.resume, cfg.load_from = True, checkpoint
    elif cfg.get("load_from") and "://" not in cfg.load_from:
        read_state_dict(cfg.load_from)


def join_processes(cfg: Config, launcher: str) -> None:
    """Make this process one of those that ``launcher`` started.

    MMEngine does so itself, but insists on a GPU for each; without one, the processes communicate through gloo.

    Raises:
        BPRError: the launcher did not start this process, or the address of the first process is not known.
    """
    launched_rank(launcher)  # raises where the launcher did not start this process
    cfg.launcher = launcher
    if not torch.cuda.is_available():
        set_torch_variables(launcher)
        torch.distributed.init_process_group("gloo")
        cfg.sync_bn = None  # torch synchronises BatchNorm on GPUs only: every process keeps separate statistics
        wrapper = "MMDistributedDataParallel"
        cfg.model_wrapper_cfg = {"type": wrapper, "device_ids": None, "broadcast_buffers": False}


def leave_processes() -> None:
    """End what :func:`join_processes` began, in all processes at once: ending early would abort the others."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


@contextmanager
def original_worker_errors() -> Iterator[None]:
    """Raise a BPRError of a process that loads data with its original text, without torch's traceback around it."""
    try:
        yield
    except BPRError as error:
        wrapped = WORKER_ERROR.fullmatch(str(error))
        if wrapped is None:
            raise
        raise BPRError(wrapped[1]) from error


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Forward in bfloat16 by autocast, also on a CPU, where MMEngine's wrapper refuses to run.

    The range of bfloat16 is that of float32, so losses need no scaling.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield
