"""Coverage-guided fuzzing of the readers with atheris (``pip install -r requirements-fuzz.txt``; Linux).

    python -m tests.fuzz.run rle --seconds 60      # one reader; findings are written to runs/fuzz/rle.crash-*
    python -m tests.fuzz.run --all --seconds 600   # all readers in turn; docs/results/fuzz.json is written after each

``--all`` continues where it was stopped: it skips readers that ran that long on the same source without a finding.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results" / "fuzz.json"
FOUND = ROOT / "runs" / "fuzz"
LONGEST_INPUT = 4096
SECONDS_OF_ONE, MIB = 10, 2048
"""An input that takes longer, or needs more memory, is a finding."""


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one reader until the time is over or there is a finding; the process ends here."""
    import atheris  # before any import of bpr: only modules imported below report their branches

    with atheris.instrument_imports(include=["bpr"]):
        from tests.fuzz.readers import READERS
        from tests.fuzz.seeds import seeds
    corpus = FOUND / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds()[name]):
        (corpus / f"seed{number}").write_bytes(content)
        READERS[name](content)  # what is imported late would count as the time of an input
    limits = [f"-max_total_time={seconds}", f"-timeout={SECONDS_OF_ONE}", f"-rss_limit_mb={MIB}", f"-max_len={LONGEST_INPUT}"]
    atheris.Setup([sys.argv[0], str(corpus), *limits, "-seed=1", "-print_final_stats=1", f"-artifact_prefix={corpus}."], READERS[name])
    atheris.Fuzz()


def measured(name: str, seconds: int) -> dict[str, Any]:
    """Fuzz one reader in its own process; returns how often it ran and its finding, if any."""
    command = [sys.executable, "-m", __spec__.name, name, "--seconds", str(seconds)]
    with open(FOUND / f"{name}.log", "w+b") as log:
        code = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT).returncode
        log.seek(0)
        text = log.read().decode("utf-8", "replace")
    executions = re.findall(r"number_of_executed_units:\s*(\d+)", text) or re.findall(r"^#(\d+)", text, re.MULTILINE)
    finding = None if code == 0 else _finding(text)
    return {"seconds": seconds, "executions": int(executions[-1]) if executions else 0, "finding": finding, "source": _source()}


def _finding(log: str) -> str:
    """The line of the exception, or libFuzzer's line about a time or memory limit."""
    lines = log.splitlines()
    errors = [line for line in lines if re.match(r"\w*(Error|Exception)\b|ERROR: libFuzzer|==\d+== ?ERROR", line)]
    return (errors or lines[-1:] or ["the log is empty"])[0][:200]


def _source() -> str:
    """A digest of the source that is fuzzed."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "bpr").rglob("*.py"), *Path(__file__).parent.glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def fuzz_all(seconds: int) -> int:
    """Fuzz every reader in turn; returns 1 when there is a finding."""
    from bpr.cli.options import versions_of
    from bpr.io.files import read_json, write_json
    from tests.fuzz.readers import READERS

    report = read_json(RESULTS, "what was fuzzed before") if RESULTS.is_file() else {"readers": {}}
    FOUND.mkdir(parents=True, exist_ok=True)
    for name in READERS:
        before = report["readers"].get(name, {})
        if before.get("seconds", 0) >= seconds and not before["finding"] and before["source"] == _source():
            continue
        report["readers"][name] = measured(name, seconds)
        report["date"], report["versions"] = date.today().isoformat(), {"atheris": metadata.version("atheris"), **versions_of(["numpy"])}
        write_json(RESULTS, report, indent=1)
        print(f"{name}: {report['readers'][name]}", flush=True)
    return int(any(found["finding"] for found in report["readers"].values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", nargs="?")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    if args.all == bool(args.reader):
        parser.error("expected a reader or --all")
    sys.exit(fuzz_all(args.seconds)) if args.all else fuzz(args.reader, args.seconds)


if __name__ == "__main__":
    main()
