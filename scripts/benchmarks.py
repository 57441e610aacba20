#!/usr/bin/env python3
"""Measures the rows of docs/benchmarks.md that need a running server, and prints them as a table in Markdown. Usage: make bench

Start and memory are measured on folders of its own; push to first step, too. Nothing of a running demo is touched.
"""

import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "Tests/story")]

from small import Small  # noqa: E402
from story.doors import Server  # noqa: E402


def resident(pid: int) -> float:
    """Megabytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def cold_start(binary: pathlib.Path, folder: pathlib.Path, times: int = 5) -> float:
    found = []
    for attempt in range(times):
        server = Server(binary, folder / f"empty-{attempt}", 0)
        found.append(server.start())
        server.stop()
    return statistics.median(found)


def copy_start(binary: pathlib.Path, data: pathlib.Path, folder: pathlib.Path) -> float | None:
    """Of a copy of the demo's databases; the blobs are not read at the start."""
    if not (data / "control.sqlite").exists():
        return None
    target = folder / "copy"
    for source in [data / "control.sqlite", *data.glob("*/realm.sqlite")]:
        place = target / source.relative_to(data)
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-c", "import sqlite3, sys; a = sqlite3.connect(sys.argv[1]); a.backup(sqlite3.connect(sys.argv[2]))", source, place], check=True)
    shutil.copytree(data / "git", target / "git")
    server = Server(binary, target, 0)
    took = server.start()
    server.stop()
    return took


def push_to_step(small: Small, times: int = 5) -> float:
    found = []
    for attempt in range(times + 1):
        began = time.time()
        commit = small.push(f"bench-{attempt}", {"train": "date +%s.%N"})
        ended = small.ended(small.execution(commit)["id"])
        log = small.ada.run("execution", "logs", ended["id"], "--step", "train")
        first = float(next(line for line in log.splitlines() if line[:1].isdigit()))
        if attempt:  # the first one makes the environment
            found.append(first - began)
    return statistics.median(found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binary", type=pathlib.Path, default=ROOT / ".build/release/slipway")
    options.add_argument("--data", type=pathlib.Path, default=ROOT / "slipway-data")
    chosen = options.parse_args()
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        rows.append(("cold start to first answer, empty folder", f"{cold_start(chosen.binary, folder) * 1000:.0f} ms", "≤ 300 ms"))
        if (took := copy_start(chosen.binary, chosen.data, folder)) is not None:
            rows.append(("cold start with the demo's data", f"{took * 1000:.0f} ms", "≤ 500 ms"))
        server = Server(chosen.binary, folder / "small", 0)
        small = Small(server, folder).begin()
        time.sleep(3)
        rows.append(("idle resident memory", f"{resident(server.pid()):.0f} MB", "≤ 100 MB"))
        rows.append(("`git push` to first step running, warm", f"{push_to_step(small):.2f} s", "≤ 1 s"))
        server.stop()
    print("| What | Measured | Aim |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
