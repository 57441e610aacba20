"""`slipway backup` is killed at random moments beside a running server that takes writes: no half backup passes for whole."""
import json
import os
import random
import subprocess
import time
import urllib.request

import pytest
from conftest import binary


def slipway(*arguments, check=True):
    done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture
def seeded():
    seed = int(os.environ.get("SLIPWAY_TEST_SEED", random.randrange(2**32)))
    print(f"SLIPWAY_TEST_SEED={seed}")
    return random.Random(seed)


def test_a_killed_backup_is_none_and_the_next_one_restores(server, tmp_path, seeded):
    if server.folder is None:
        pytest.skip("the server under test is on another machine")
    data, folder = server.folder, tmp_path / "backups"
    _, made = server.call("POST", "/dev/api/2.0/mlflow/experiments/create", {"name": f"flights backup {seeded.random()}"}, expect=200)
    experiment = made["experiment_id"]
    _, made = server.call("POST", "/dev/api/2.0/mlflow/runs/create", {"experiment_id": experiment}, expect=200)
    run = made["run"]["info"]["run_id"]
    for number in range(60):
        path = f"/dev/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/{number}.bin"
        request = urllib.request.Request(server.url + path, data=seeded.randbytes(200_000), method="PUT")
        request.add_header("Authorization", f"Bearer {server.token}")
        urllib.request.urlopen(request, timeout=60).close()

    kills = 0
    for _ in range(12):
        process = subprocess.Popen([binary(), "backup", folder, "--data", data, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(seeded.uniform(0, 0.6))
        whole = process.poll() == 0
        if not whole:
            process.kill()
            kills += 1
        process.communicate()
        listed = json.loads(slipway("backup", folder, "--list", "--json").stdout)
        if kills and not whole and not listed:
            assert slipway("restore", folder, "--data", tmp_path / "nothing", check=False).returncode == 4
        for backup in listed:
            slipway("backup", folder, "--verify", "--backup", backup["id"])
    print(f"killed {kills} times")
    assert kills > 0

    slipway("backup", folder, "--data", data)
    slipway("backup", folder, "--verify")
    slipway("restore", folder, "--data", tmp_path / "restored")
    again = slipway("restore", folder, "--data", tmp_path / "restored", check=False)
    assert again.returncode == 5 and "not empty" in again.stderr
