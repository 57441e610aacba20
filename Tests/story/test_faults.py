"""What goes wrong around a server, and the errors that end in what to do."""

import os
import signal
import socket
import subprocess
import time

import pytest
import requests

from small import PROJECT, Small, wait
from story.doors import Refused, Server, alive, free_port


def refusal(server: Server, *words: str, environment: dict | None = None) -> str:
    done = subprocess.run(
        [server.binary, *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=os.environ | (environment or {}))
    assert done.returncode != 0
    return done.stderr


def test_port_in_use_says_what_to_do(fresh):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(fresh, "serve", "--data", str(fresh.data), "--port", str(port))
    assert str(port) in said and "--port" in said


def test_no_server_is_said_at_once(fresh):
    began = time.monotonic()
    said = refusal(fresh, "whoami", "--server", f"http://127.0.0.1:{free_port()}")
    assert "slipway serve" in said and time.monotonic() - began < 5


def test_second_server_on_the_same_folder_says_what_to_do(fresh):
    fresh.start()
    said = refusal(fresh, "serve", "--data", str(fresh.data), "--port", str(free_port()))
    assert "Another Slipway server" in said and "--data" in said


def test_half_written_data_folder_is_finished_by_the_next_start(fresh, seeded):
    """Killed at random moments of its very first start, it starts in the end, with a secret that works."""
    for _ in range(6):
        process = subprocess.Popen(
            [fresh.binary, "serve", "--data", fresh.data, "--port", str(free_port())], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        time.sleep(seeded.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
    fresh.start()
    assert fresh.secret()
    answer = requests.post(fresh.address + "/api/v1/bootstrap", json={"secret": "wrong", "project": "p", "people": []}, timeout=10)
    assert answer.status_code in (400, 401)


def test_data_folder_of_something_else_is_refused(fresh):
    fresh.data.mkdir(parents=True)
    (fresh.data / "control.sqlite").write_bytes(b"this is no database at all, just some bytes" * 100)
    said = refusal(fresh, "serve", "--data", str(fresh.data), "--port", str(free_port()))
    assert "control.sqlite" in said or "database" in said.lower()


def test_no_uv_fails_the_execution_with_how_to_get_it(tmp_path, binary_path):
    server = Server(binary_path, tmp_path / "data", 0, {"SLIPWAY_UV": "/nonexistent/uv"})
    try:
        small = Small(server, tmp_path).begin()
        ended = small.ended(small.execution(small.push("main", {"train": "true"}))["id"])
        assert ended["state"] in ("errored", "failed") and "uv" in ended["message"]
    finally:
        from conftest import end
        end(server)


def test_lost_password_has_a_way_back_from_the_machines_own_shell(fresh, tmp_path):
    small = Small(fresh, tmp_path).begin()
    token = small.ada.token
    small.ada.run("user", "reset-password", "ada", "--data", fresh.data, "--password-stdin", typed="another long password\n")
    small.ada.password = "another long password"
    small.ada.sign_in()
    assert small.ada.get("/api/v1/me")["principal"] == "user:ada"
    ended = lambda: requests.get(fresh.address + "/api/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=10).status_code == 401
    wait(ended, 40, "the end of the old session")


def test_running_step_survives_kill_of_the_server(fresh, tmp_path):
    small = Small(fresh, tmp_path).begin()
    id = small.execution(small.push("main", {"train": f"echo begun; while ! test -e {tmp_path}/go; do sleep 0.05; done; echo ended"}))["id"]
    small.running(id, "train")
    fresh.kill()
    (tmp_path / "go").touch()
    time.sleep(0.3)
    fresh.start()
    ended = small.ended(id)
    assert ended["state"] == "succeeded" and ended["steps"][0]["attempt"] == 1, "the same attempt, not a second one"
    assert "begun" in small.log(id) and "ended" in small.log(id)


def test_kill_at_random_moments_loses_nothing_acknowledged(fresh, tmp_path, seeded):
    """Pushes, runs and metrics under `kill -9`: what was answered is there afterwards, and every execution comes to an end."""
    small = Small(fresh, tmp_path).begin()
    acknowledged: list[tuple[str, int]] = []
    commits: list[str] = []
    run = None
    for round in range(5):
        commits.append(small.push(f"round-{round}", {"train": "sleep 0.3; echo done"}))
        end = time.monotonic() + seeded.uniform(0.05, 1.2)
        value = 0
        while time.monotonic() < end:
            if run is None:
                run = small.ada.post("/dev/api/2.0/mlflow/runs/create", {"experiment_id": experiment(small), "start_time": 1})["run"]["info"]["run_id"]
            step = round * 100_000 + value
            small.ada.post("/dev/api/2.0/mlflow/runs/log-metric", {"run_id": run, "key": "m", "value": step, "timestamp": 1, "step": step})
            acknowledged.append((run, step))
            value += 1
        fresh.kill()
        fresh.start()
    history: list[dict] = []
    mark = None
    while True:
        query = {"run_id": run, "metric_key": "m", "max_results": 1000} | ({"page_token": mark} if mark else {})
        page = small.ada.get("/dev/api/2.0/mlflow/metrics/get-history", **query)
        history += page.get("metrics", [])
        mark = page.get("next_page_token")
        if not mark:
            break
    assert {step for _, step in acknowledged} <= {int(each["step"]) for each in history}
    for commit in commits:
        assert small.ended(small.execution(commit)["id"])["state"] == "succeeded"
    assert len({each["commit"] for each in small.executions()}) == len(small.executions()), "no push ran twice"


def experiment(small: Small) -> str:
    try:
        return small.ada.post("/dev/api/2.0/mlflow/experiments/create", {"name": "kills"})["experiment_id"]
    except Refused:
        return small.ada.get("/dev/api/2.0/mlflow/experiments/get-by-name", experiment_name="kills")["experiment"]["experiment_id"]


@pytest.fixture
def small_disk(tmp_path):
    """48 MB that can be filled. Needs the right to mount; without it there is no honest way to have a full disk."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place], capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a small file system")
    yield place
    subprocess.run(["umount", "--lazy", place], check=False)


def test_full_disk_is_said_and_nothing_acknowledged_is_lost(small_disk, tmp_path, binary_path):
    from conftest import end
    server = Server(binary_path, small_disk / "data", 0)
    server.log = tmp_path / "server.log"
    try:
        small = Small(server, tmp_path).begin()
        run = small.ada.post("/dev/api/2.0/mlflow/runs/create", {"experiment_id": experiment(small), "start_time": 1})["run"]["info"]["run_id"]
        with open(small_disk / "ballast", "wb") as ballast:
            try:
                while True:
                    ballast.write(b"x" * 65536)
            except OSError:
                pass
        kept, refused = [], None
        for step in range(2000):
            try:
                small.ada.post("/dev/api/2.0/mlflow/runs/log-metric", {"run_id": run, "key": "m", "value": step, "timestamp": 1, "step": step})
                kept.append(step)
            except Refused as problem:
                refused = problem
                break
        assert refused is not None, "a full disk cannot take two thousand metrics"
        assert refused.code >= 500 and ("disk" in refused.message.lower() or "full" in refused.message.lower() or "room" in refused.message.lower())
        os.unlink(small_disk / "ballast")
        small.ada.post("/dev/api/2.0/mlflow/runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1, "step": 999_999})
        history = small.ada.get("/dev/api/2.0/mlflow/metrics/get-history", run_id=run, metric_key="m", max_results=5000)["metrics"]
        assert set(kept) <= {int(each["step"]) for each in history}
    finally:
        end(server)
