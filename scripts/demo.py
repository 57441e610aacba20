#!/usr/bin/env python3
"""Plays the story of Slipway against a running server, through the doors that everybody has. Usage: make demo

A second call resumes: every step asks the server first what is there. The server stays up at the end.
"""

import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from story import show  # noqa: E402
from story.doors import Refused, Server  # noqa: E402
from story.people import CAST  # noqa: E402
from story.story import MODEL, PROJECT, SLOT, Plan, Story  # noqa: E402


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binary", type=pathlib.Path, default=pathlib.Path(".build/release/slipway"))
    options.add_argument("--data", type=pathlib.Path, default=pathlib.Path("slipway-data"))
    options.add_argument("--port", type=int, default=5080)
    options.add_argument("--share", type=float, default=1.0, help="of the flights, in whole days; 1 is all of them")
    options.add_argument("--months", type=int, nargs="*", help="which months are replayed; all when missing")
    chosen = options.parse_args()
    plan = Plan(share=chosen.share)
    if chosen.months:
        plan = Plan(share=chosen.share, months=tuple(chosen.months))
    server = Server(chosen.binary, chosen.data, chosen.port)
    story = Story(server, plan)
    began = time.monotonic()
    try:
        story.play()
    except Refused as refused:
        print(f"\nError: {refused}", file=sys.stderr)
        print(f"       The server's log: {server.log}. Mend it and say 'make demo' again: it goes on from here.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. 'make demo' goes on from here; the server stays up.", file=sys.stderr)
        return 130
    close(story, server, time.monotonic() - began)
    return 0


def close(story: Story, server: Server, seconds: float) -> None:
    base = server.address
    print(f"\n{story.months_table()}\n")
    print(f"Played in {seconds:.0f} s. The server stays up.\n")
    print(f"Worth opening; the passwords are in {shown(story.people.file)} (barbara sees most):")
    listed([
        (f"{base}/", "the board: three environments × code, model, data"),
        (f"{base}/prod/endpoints/{SLOT}", "traffic, latency, drift"),
        (f"{base}/stage/promotions", "with the one that the gates blocked"),
    ])
    print("\nWorth trying:")
    listed([
        (f"export PATH={shown(server.binary.parent)}:$PATH", "then: slipway login --user barbara" + ("" if server.port == 5080 else f" --server {base}")),
        (f"slipway slot history prod/{SLOT}", "what served when, who let it in, on which data"),
        ("slipway promotion list stage", "then: slipway promotion show ID"),
        (f"slipway drift list prod/{SLOT}", "the months again"),
        ("slipway audit verify prod", "the hash chain"),
        (f"git clone {base}/git/{PROJECT}.git", f"as one of {', '.join(CAST)}"),
        ("make clean-demo", "stops the server and starts over"),
    ])


def listed(lines: list[tuple[str, str]]) -> None:
    width = max(len(left) for left, _ in lines)
    for left, right in lines:
        print(f"  {left:<{width}}  {right}")


def shown(path: pathlib.Path) -> str:
    """As short as it stays true."""
    here = pathlib.Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


if __name__ == "__main__":
    sys.exit(main())
