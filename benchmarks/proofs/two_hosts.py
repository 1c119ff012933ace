"""Two hosts on one machine, as network namespaces with a cable between them: torchrun across it, and failures.

    python -m benchmarks.proofs.two_hosts [--out docs/results/two_hosts.json]      as root, with iproute2

Refining and a toy training each run undisturbed on one host, then across both hosts: a worker is killed (SIGKILL, and
torchrun starts both again), then the cable is pulled, then the same command runs again to the end. Results are
compared byte for byte, weights by their distance relative to the length of the training. Where it cannot run, it
prints the reason.
"""

from __future__ import annotations

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
from pathlib import Path
from typing import Any

from benchmarks.measuring import RESULTS, ROOT, dated_versions, script_parser, write_report
from benchmarks.painted_set import write_set
from benchmarks.proofs.processes import ENVIRONMENT, refine_command, start, wait

HOSTS = ("bpr-host-0", "bpr-host-1")
CABLES = ("bpr-veth-0", "bpr-veth-1")
ADDRESSES = ("10.203.7.1", "10.203.7.2")
SCENES, FRAME = 80, (120, 160)
TIMEOUT = 600.0
"""Seconds that any single wait may take."""
ITERATIONS = 12
SAME_WEIGHTS = 1e-2
"""Largest distance relative to the way travelled. Sums in another order give less; another batch gives a tenth."""


def why_not() -> str | None:
    """The reason why this machine cannot run it; None if it can."""
    if os.geteuid() != 0:
        return "expected root, which may make network namespaces"
    if shutil.which("ip") is None:
        return "expected ip of iproute2"
    made = subprocess.run(["ip", "netns", "add", "bpr-probe"], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", "bpr-probe"], capture_output=True, check=False)
    return made.stderr.strip() or None


def ip(*words: str) -> str:
    """Run a command of iproute2 and return what it printed."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@contextmanager
def two_hosts() -> Iterator[None]:
    """Network namespaces that are connected by one cable and see nothing else."""
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


def plug_cable(up: bool) -> None:
    ip("-n", HOSTS[0], "link", "set", CABLES[0], "up" if up else "down")


class Log:
    """Events, with the seconds since the beginning."""

    def __init__(self) -> None:
        self.began, self.lines = time.perf_counter(), list[str]()

    def add(self, line: str) -> None:
        self.lines.append(f"{time.perf_counter() - self.began:6.1f} s  {line}")
        print(self.lines[-1], flush=True)


def torchrun(words: Sequence[str], logs: Path) -> list[subprocess.Popen[bytes]]:
    """The same command on both hosts, one rank each."""
    processes = []
    for number, (host, address) in enumerate(zip(HOSTS, ADDRESSES, strict=True)):
        environment = {**ENVIRONMENT, "GLOO_SOCKET_IFNAME": CABLES[number]}
        host_options = ["--nnodes", "2", "--nproc-per-node", "1", "--local-addr", address]
        rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[0]}:29471", "--rdzv-id", "bpr"]
        more = ["--rdzv-conf", f"is_host={int(number == 0)}", "--max-restarts", "3"]
        launcher = [sys.executable, "-m", "torch.distributed.run", *host_options, *rendezvous, *more]
        line = ["ip", "netns", "exec", host, *launcher, *words]
        with open(logs / f"host-{number}.log", "ab") as file:
            processes.append(subprocess.Popen(line, env=environment, stdout=file, stderr=file, start_new_session=True))
    return processes


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds, or raise a TimeoutError."""
    last = time.perf_counter() + TIMEOUT
    while not holds():
        if time.perf_counter() > last:
            raise TimeoutError(f"expected {what} within {TIMEOUT:.0f} s")
        time.sleep(0.1)


def end(agents: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill all processes of both hosts, as a scheduler does with a broken job."""
    for agent in agents:
        try:
            os.killpg(agent.pid, signal.SIGTERM)
            agent.wait(timeout=40)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            agent.kill()
    for host in HOSTS:
        for pid in ip("netns", "pids", host).split():
            os.kill(int(pid), signal.SIGKILL)


def disturb(words: Sequence[str], progress: Callable[[], float], logs: Path, log: Log) -> None:
    """Run a command on both hosts; kill a worker at a quarter, pull the cable at half, run it again to the end."""
    agents = torchrun(words, logs)
    try:
        until(lambda: progress() >= 0.25, "a quarter of the work")
        children = Path(f"/proc/{agents[1].pid}/task/{agents[1].pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)  # the worker that torchrun started
        log.add(f"at {progress():.0%} the worker of host 1 is killed; torchrun starts both again")
        until(lambda: progress() >= 0.5, "half of the work after the restart")
        plug_cable(up=False)
        log.add(f"at {progress():.0%} the cable is pulled")
        time.sleep(5)
        states = ["ended" if agent.poll() is not None else "waits" for agent in agents]
        log.add(f"5 s later torchrun of host 0 {states[0]}, of host 1 {states[1]}; both jobs are ended")
    finally:
        end(agents)
        plug_cable(up=True)
    log.add(f"the cable is back; the same command again, at {progress():.0%}")
    finish(words, logs)
    log.add("both hosts have finished")


def finish(words: Sequence[str], logs: Path) -> None:
    """Run a command on both hosts to its end."""
    agents = torchrun(words, logs)
    try:
        for number, agent in enumerate(agents):
            if agent.wait(timeout=TIMEOUT):
                raise RuntimeError(f"host {number}: {(logs / f'host-{number}.log').read_text()[-2000:]}")
    finally:
        end(agents)


def refining(folder: Path, log: Log) -> dict[str, Any]:
    """Refine painted scenes on both hosts, and compare with the file of one process."""
    data, alone, shared = folder / "set", folder / "alone.json", folder / "shared.json"
    write_set(data, SCENES, FRAME)
    wait(start(refine_command(data, alone)))
    log.add(f"refining {SCENES} scenes: done by one process, for comparison")

    def progress() -> float:
        finished = sum(path.read_bytes().count(b" = {") for path in folder.glob(".shared.json.run/*.journal"))
        return finished / SCENES

    words = [*refine_command(data, shared), "--launcher", "pytorch"]
    disturb(words, progress, folder, log)
    equal = alone.read_bytes() == shared.read_bytes()
    log.add(f"the results are {'equal, byte for byte' if equal else 'DIFFERENT'}")
    return {"scenes": SCENES, "equal": equal}


def training(folder: Path, log: Log) -> dict[str, Any]:
    """Train a toy network on both hosts, and compare its weights with those of an undisturbed training."""
    data, store, alone, shared = (folder / name for name in ("toy", "store", "alone", "shared"))
    write_set(data, 4, FRAME)
    files = [str(data / "coarse.segm.json"), "--ann", str(data / "instances.json"), "--img-dir", str(data / "images")]
    config = folder / "toy.py"
    names = ("models/bpr_hrnet-w18s", "datasets/coco_patches", "schedules/sgd_160k", "default_runtime")
    bases = [str(ROOT / "configs" / "_base_" / f"{name}.py") for name in names]
    config.write_text(f"_base_ = {bases}\n{TOY}")
    wait(start([str(ROOT / "tools/extract_patches.py"), *files, "--out", str(store), "--config", str(config)]))

    def words(work: Path) -> list[str]:
        options = ["--cfg-options", f"train_dataloader.dataset.stores={store}", f"train_cfg.max_iters={ITERATIONS}"]
        return [str(ROOT / "tools/train.py"), str(config), "--work-dir", str(work), "--launcher", "pytorch", *options]

    finish(words(alone), folder)
    log.add(f"training {ITERATIONS} iterations: done once undisturbed, for comparison")

    def progress() -> float:
        done = [int(path.stem.removeprefix("iter_")) for path in shared.glob("iter_*.pth")]
        return max(done, default=0) / ITERATIONS

    disturb([*words(shared), "--resume"], progress, folder, log)
    last = f"iter_{ITERATIONS}.pth"
    first, theirs, ours = map(weights, (alone / "iter_1.pth", alone / last, shared / last))
    distance = float((ours - theirs).norm() / (theirs - first).norm())
    log.add(f"the weights lie {distance:.1e} of the way travelled beside those of the undisturbed training")
    return {"iterations": ITERATIONS, "distance": distance, "equal": distance < SAME_WEIGHTS}


def weights(checkpoint: Path) -> Any:
    """All parameters in one vector."""
    import torch

    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    return torch.cat([tensor.double().flatten() for tensor in state.values()])


# With GroupNorm and no augmentation, what a rank computes depends on the iteration alone.
TOY = """
norm_cfg = dict(_delete_=True, type='GN', num_groups=2)
part = dict(norm_cfg=norm_cfg)
model = dict(pretrained=None, data_preprocessor=dict(input_side=32), backbone=part, decode_head=part)
dataset = dict(pipeline=[dict(type='bpr.PackPatch')])
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dataset)
train_cfg = dict(val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=-1))
"""


def main() -> None:
    parser = script_parser(__doc__, RESULTS / "two_hosts.json")
    parser.add_argument("--only", choices=["refining", "training"], help="leave the other out")
    args = parser.parse_args()
    if reason := why_not():
        print(f"skipped: {reason}")
        return
    parts = {"refining": refining, "training": training}
    found: dict[str, Any] = dated_versions(("bpr", "torch", "mmengine"))
    with tempfile.TemporaryDirectory(prefix="two-hosts-") as folder, two_hosts():
        for name in [args.only] if args.only else parts:
            log = Log()
            found[name] = {**parts[name](Path(folder), log), "log": log.lines}
    write_report(args.out, found)
    print(json.dumps({name: found[name]["equal"] for name in parts if name in found}))


if __name__ == "__main__":
    main()
