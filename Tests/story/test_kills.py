"""The story while the server is killed again and again, at random moments. Nothing acknowledged is lost, nothing is half-live."""

import sys
import threading
import time

import pytest
import requests

from conftest import SHARE, end
from story import traffic
from story.doors import Refused, Server
from story.people import PROJECT
from story.show import Stage
from story.story import SLOT, Plan, Story

#: In each chapter of the story; where it is over sooner, fewer happen.
KILLS = 2


class Killer(threading.Thread):
    """Ends the server by `kill -9` and starts it again, as often as each chapter allows."""

    def __init__(self, server: Server, random):
        super().__init__(daemon=True)
        self.server, self.random = server, random
        self.kills: list[float] = []
        self.allowed = 0
        self.stopping, self.problem = threading.Event(), None

    def run(self) -> None:
        began = time.monotonic()
        try:
            while not self.stopping.wait(self.random.uniform(0.2, 6)):
                if self.allowed <= 0:
                    continue
                self.allowed -= 1
                self.server.kill()
                self.kills.append(round(time.monotonic() - began, 2))
                self.stopping.wait(self.random.uniform(0, 0.5))
                self.server.start()
        except Exception as problem:  # noqa: BLE001: told by the test
            self.problem = problem


def test_story_survives_kills_at_random_moments(tmp_path, binary_path, seeded):
    server = Server(binary_path, tmp_path / "data", 0)
    story = Story(server, Plan(share=SHARE, months=(6,), retrain_after=(6,)), Stage(sys.stderr))
    killer = Killer(server, seeded)
    try:
        story.start()
        story.meet()
        killer.start()
        for chapter in (story.bring_data, story.push, story.look_at_run, story.promote_to_stage, story.promote_to_prod, story.replay, story.look_back):
            killer.allowed = KILLS
            insist(chapter, killer)
        killer.stopping.set()
        killer.join()
        assert killer.problem is None
        print(f"killed at {killer.kills}")
        assert len(killer.kills) >= 4
        insist(story.play, killer, times=1)
        nothing_is_half_live(story)
    finally:
        killer.stopping.set()
        killer.join(60)
        end(server)


def insist(chapter, killer: Killer, times: int = 40) -> None:
    """A person whose connection broke tries again; the story looks first what is there."""
    for attempt in range(times):
        try:
            return chapter()
        except (Refused, requests.RequestException, OSError, KeyError) as problem:
            if killer.problem:
                raise killer.problem from None
            last = problem
            print(f"{chapter.__name__}: {str(problem).splitlines()[0]}", file=sys.stderr)
            time.sleep(1)
    raise AssertionError(f"{chapter.__name__} did not succeed in {times} tries: {last}")


def nothing_is_half_live(story: Story) -> None:
    for environment in ("stage", "prod"):
        slot = story.slot(environment)
        promotions = story.people.grace.items(f"/api/v1/{environment}/promotions", project=PROJECT, slot=SLOT)
        live = [each for each in promotions if each["state"] == "live"]
        assert len(live) == 1 and live[0]["release"] == slot["current"]
        assert not [each for each in promotions if each["state"] in ("applying", "verifying", "rollingBack", "rollbackFailed")]
        endpoint = story.people.edsger.get(f"/api/v1/{environment}/endpoints/{SLOT}")
        assert [each["release"] for each in endpoint["deployments"] if each["weight"] == 100] == [slot["current"]]
        chapters = story.people.barbara.get(f"/api/v1/{environment}/slots/{SLOT}/history")["items"]
        assert [each["generation"] for each in chapters] == list(range(1, slot["generation"] + 1)), "each change of what serves counts once"
        assert chapters[-1]["release"] == slot["current"]
        assert story.people.barbara.ask("audit", "verify", environment)["verified"] > 5
        assert len(story.endpoint(environment).ask(traffic.body(traffic.first(story.data / "requests/2013-06.parquet", 5)))) == 5
    for environment in ("dev", "stage"):
        pushes = [each for each in story.people.grace.items(f"/api/v1/{environment}/executions", project=PROJECT) if each["trigger"] == "push"]
        assert len({each["commit"] for each in pushes}) == len(pushes), "no push ran twice"
        assert all(each["state"] == "succeeded" for each in pushes)
