"""One server plays the whole story once, on a reduced copy of the real data; each numbered step has its tests.

Where a step of the story fails, the tests of that step and of those after it fail with its words.
"""

import os
import pathlib
import random
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "examples/flight-delays")]

from story.doors import Server, tail  # noqa: E402
from story.show import Stage  # noqa: E402
from story.story import Plan, Story  # noqa: E402

#: Nine or ten days of each month: enough for the gates to have something to measure, little enough to be quick.
SHARE = 0.3
MONTHS = (4, 6, 10)


def binary() -> pathlib.Path:
    """The release build, unless SLIPWAY_BINARY names another."""
    named = pathlib.Path(os.environ.get("SLIPWAY_BINARY", ROOT / ".build/release/slipway"))
    if not named.exists():
        pytest.exit(f"There is no program '{named}'. Build it: make build", 3)
    return named


class Played:
    """The story, played chapter by chapter as tests ask for them."""

    def __init__(self, story: Story):
        self.story = story
        self.chapters = [
            story.start, story.meet, story.bring_data, story.push, story.look_at_run, story.promote_to_stage, story.promote_to_prod, story.replay,
            story.look_back,
        ]
        self.done: dict[int, Exception | None] = {}

    def upto(self, number: int) -> Story:
        """Plays everything up to that chapter once; a chapter that failed fails again for everybody who needs it."""
        for index in range(number + 1):
            if index not in self.done:
                try:
                    self.chapters[index]()
                    self.done[index] = None
                except Exception as problem:  # noqa: BLE001: told to every test that stands on it
                    self.done[index] = problem
                    pytest.fail(f"chapter {index} of the story: {problem}\n{tail(self.story.server.log)}", pytrace=False)
            if self.done[index] is not None:
                pytest.fail(f"chapter {index} of the story did not succeed, see the first test that needed it", pytrace=False)
        return self.story


@pytest.fixture(scope="session")
def played(tmp_path_factory, binary_path):
    data = tmp_path_factory.mktemp("story") / "data"
    server = Server(binary_path, data, 0)
    story = Story(server, Plan(share=SHARE, months=MONTHS), Stage(sys.stderr))
    yield Played(story)
    end(server)


@pytest.fixture(scope="session")
def binary_path() -> pathlib.Path:
    return binary()


@pytest.fixture
def fresh(tmp_path, binary_path):
    """A server of the test's own, not started yet."""
    server = Server(binary_path, tmp_path / "data", 0)
    yield server
    end(server)


def end(server: Server) -> None:
    """The server and what it left running on purpose: gateways, steps."""
    import subprocess
    server.stop()
    if server.data.exists():
        subprocess.run([server.binary, "gateway", "stop", "--data", server.data], capture_output=True, timeout=60)


@pytest.fixture
def seeded(request) -> random.Random:
    """Randomness that can be repeated: SLIPWAY_SEED=… pytest …"""
    seed = int(os.environ.get("SLIPWAY_SEED", time.time_ns() % 1_000_000_007))
    print(f"\nSLIPWAY_SEED={seed}")
    return random.Random(seed)
