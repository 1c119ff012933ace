"""Two hosts on one machine: network namespaces with a cable between them, torchrun across it, and what happens when things die.

    python -m benchmarks.two_hosts [--out docs/results/two_hosts.json]      as root, with iproute2

Refining and a toy training are each run undisturbed by one process on one host, then across both hosts: a worker is killed (SIGKILL,
torchrun starts all again), then the cable is pulled half way, then the same command again. The
results are compared byte for byte, the weights by their distance over the way that they travelled. Skipped with a
reason where it cannot run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.demo_set import write_set
from benchmarks.ranks_by_hand import ROOT, refine_words
from bpr.cli.options import versions_of
from bpr.io.files import write_json

HOSTS = ("bpr-host-0", "bpr-host-1")
CABLES = ("bpr-veth-0", "bpr-veth-1")
ADDRESSES = ("10.203.7.1", "10.203.7.2")
SCENES, FRAME = 80, (120, 160)
PATIENCE = 600.0
"""Seconds that any one wait may take."""
ITERATIONS = 12
SAME_WEIGHTS = 1e-2
"""Of the way travelled: what is loaded lies elsewhere in memory and is summed in another order; another batch is a tenth."""


def why_not() -> str | None:
    """What is missing here; None: nothing."""
    if os.geteuid() != 0:
        return "expected root, which may make network namespaces"
    if shutil.which("ip") is None:
        return "expected ip of iproute2"
    made = subprocess.run(["ip", "netns", "add", "bpr-probe"], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", "bpr-probe"], capture_output=True, check=False)
    return made.stderr.strip() or None


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextmanager
def two_hosts() -> Iterator[None]:
    """Namespaces that see each other through one cable, and nothing else."""
    for host in HOSTS:
        ip("netns", "add", host)
    try:
        ip("link", "add", CABLES[0], "netns", HOSTS[0], "type", "veth", "peer", "name", CABLES[1], "netns", HOSTS[1])
        for host, cable, address in zip(HOSTS, CABLES, ADDRESSES, strict=True):
            ip("-n", host, "addr", "add", f"{address}/24", "dev", cable)
            ip("-n", host, "link", "set", cable, "up")
            ip("-n", host, "link", "set", "lo", "up")
        yield
    finally:
        for host in HOSTS:
            ip("netns", "del", host)


def cable(up: bool) -> None:
    ip("-n", HOSTS[0], "link", "set", CABLES[0], "up" if up else "down")


@dataclass
class Story:
    """What happened, with the seconds since the beginning."""

    began: float = field(default_factory=time.perf_counter)
    lines: list[str] = field(default_factory=list)

    def tell(self, line: str) -> None:
        self.lines.append(f"{time.perf_counter() - self.began:6.1f} s  {line}")
        print(self.lines[-1], flush=True)


def torchrun(words: Sequence[str], logs: Path) -> list[subprocess.Popen[bytes]]:
    """The same command on both hosts, one rank each."""
    processes = []
    for number, (host, address) in enumerate(zip(HOSTS, ADDRESSES, strict=True)):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": CABLES[number]}
        where = ["--nnodes", "2", "--nproc-per-node", "1", "--local-addr", address, "--rdzv-conf", f"is_host={int(number == 0)}"]
        meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[0]}:29471", "--rdzv-id", "bpr", "--max-restarts", "3"]
        line = ["ip", "netns", "exec", host, sys.executable, "-m", "torch.distributed.run", *where, *meet, *words]
        with open(logs / f"host-{number}.log", "ab") as log:
            processes.append(subprocess.Popen(line, env=environment, stdout=log, stderr=log, start_new_session=True))
    return processes


def worker_of(agent: subprocess.Popen[bytes]) -> int:
    """The process that torchrun started on a host."""
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    return int(children[0])


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait.

    Raises:
        TimeoutError: it took too long.
    """
    last = time.perf_counter() + PATIENCE
    while not holds():
        if time.perf_counter() > last:
            raise TimeoutError(f"expected {what} within {PATIENCE:.0f} s")
        time.sleep(0.1)


def end(agents: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill what is left on both hosts, as a scheduler does with a broken job."""
    for agent in agents:
        try:
            os.killpg(agent.pid, signal.SIGTERM)
            agent.wait(timeout=40)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            agent.kill()
    for host in HOSTS:
        for pid in subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True, check=True).stdout.split():
            os.kill(int(pid), signal.SIGKILL)


def through_it_all(words: Sequence[str], progress: Callable[[], float], logs: Path, story: Story) -> None:
    """Run ``words`` on both hosts; kill a worker at a quarter, pull the cable at half, run the same again to the end."""
    agents = torchrun(words, logs)
    try:
        until(lambda: progress() >= 0.25, "a quarter of the work")
        os.kill(worker_of(agents[1]), signal.SIGKILL)
        story.tell(f"at {progress():.0%} the worker of host 1 is killed; torchrun starts both again")
        until(lambda: progress() >= 0.5, "half of the work after the restart")
        cable(up=False)
        story.tell(f"at {progress():.0%} the cable is pulled")
        time.sleep(5)
        states = ["ended" if agent.poll() is not None else "waits" for agent in agents]
        story.tell(f"5 s later torchrun of host 0 {states[0]}, of host 1 {states[1]}; both jobs are ended")
    finally:
        end(agents)
        cable(up=True)
    story.tell(f"the cable is back; the same command again, at {progress():.0%}")
    agents = torchrun(words, logs)
    try:
        for number, agent in enumerate(agents):
            if agent.wait(timeout=PATIENCE):
                raise RuntimeError(f"host {number}: {(logs / f'host-{number}.log').read_text()[-2000:]}")
    finally:
        end(agents)
    story.tell("both hosts have come to a good end")


def refining(folder: Path, story: Story) -> dict[str, Any]:
    """Refine painted scenes on both hosts; is it the file of one process?"""
    data, alone, shared = folder / "set", folder / "alone.json", folder / "shared.json"
    write_set(data, SCENES, FRAME)
    run_alone(refine_words(data, alone))
    story.tell(f"refining {SCENES} scenes: done by one process, for comparison")

    def progress() -> float:
        seals = sum(path.read_bytes().count(b" = {") for path in folder.glob(".shared.json.run/*.journal"))
        return seals / SCENES

    words = [*refine_words(data, shared), "--launcher", "pytorch"]
    through_it_all(words, progress, folder, story)
    equal = alone.read_bytes() == shared.read_bytes()
    story.tell(f"the results are {'equal, byte for byte' if equal else 'DIFFERENT'}")
    return {"scenes": SCENES, "equal": equal}


def training(folder: Path, story: Story) -> dict[str, Any]:
    """A toy training on both hosts, with batches of two; does it end where one that nobody disturbed ends?"""
    data, store, alone, shared = (folder / name for name in ("toy", "store", "alone", "shared"))
    write_set(data, 4, FRAME)
    files = [str(data / "coarse.segm.json"), "--ann", str(data / "instances.json"), "--img-dir", str(data / "images")]
    config = folder / "toy.py"
    bases = [
        str(ROOT / "configs" / "_base_" / f"{name}.py")
        for name in ("models/bpr_hrnet-w18s", "datasets/coco_patches", "schedules/sgd_160k", "default_runtime")
    ]
    config.write_text(f"_base_ = {bases}\n{TOY}")
    run_alone([str(ROOT / "tools" / "extract_patches.py"), *files, "--out", str(store), "--config", str(config)])

    def words(work: Path) -> list[str]:
        options = [f"train_dataloader.dataset.stores={store}", f"train_cfg.max_iters={ITERATIONS}"]
        return [str(ROOT / "tools" / "train.py"), str(config), "--work-dir", str(work), "--launcher", "pytorch", "--cfg-options", *options]

    for agent in torchrun(words(alone), folder):
        if agent.wait(timeout=PATIENCE):
            raise RuntimeError((folder / "host-0.log").read_text()[-2000:])
    story.tell(f"training {ITERATIONS} iterations: done once undisturbed, for comparison")

    def progress() -> float:
        done = [int(path.stem.removeprefix("iter_")) for path in shared.glob("iter_*.pth")]
        return max(done, default=0) / ITERATIONS

    through_it_all([*words(shared), "--resume"], progress, folder, story)
    first, theirs, ours = map(weights, (alone / "iter_1.pth", alone / f"iter_{ITERATIONS}.pth", shared / f"iter_{ITERATIONS}.pth"))
    distance = float((ours - theirs).norm() / (theirs - first).norm())
    story.tell(f"the weights lie {distance:.1e} of the way travelled beside those of the undisturbed training")
    return {"iterations": ITERATIONS, "distance": distance, "equal": distance < SAME_WEIGHTS}


def weights(checkpoint: Path) -> Any:
    """All parameters in one vector."""
    import torch

    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    return torch.cat([tensor.double().flatten() for tensor in state.values()])


# GroupNorm and no augmentation: what a rank computes depends on the iteration alone. A restart begins at the newest checkpoint.
TOY = """
norm_cfg = dict(_delete_=True, type='GN', num_groups=2)
model = dict(pretrained=None, data_preprocessor=dict(input_side=32), backbone=dict(norm_cfg=norm_cfg), decode_head=dict(norm_cfg=norm_cfg))
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(pipeline=[dict(type='bpr.PackPatch')]))
train_cfg = dict(val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=-1))
"""


def run_alone(words: Sequence[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *words], env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="docs/results/two_hosts.json")
    parser.add_argument("--only", choices=["refining", "training"], help="leave the other out")
    args = parser.parse_args()
    if reason := why_not():
        print(f"skipped: {reason}")
        return
    parts = {"refining": refining, "training": training}
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "versions": versions_of(("bpr", "torch", "mmengine"))}
    folder = Path(tempfile.mkdtemp(prefix="two-hosts-"))
    try:
        with two_hosts():
            for name in [args.only] if args.only else parts:
                story = Story()
                found[name] = {**parts[name](folder, story), "log": story.lines}
    finally:
        shutil.rmtree(folder)
    write_json(args.out, found, indent=1)
    print(json.dumps({name: found[name]["equal"] for name in parts if name in found}))


if __name__ == "__main__":
    main()
