"""What happens to tracking when a machine or a peer fails: every test kills, fills or floods a real server of its own."""
import gzip
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from conftest import binary, wait_for

API = "/api/2.0/mlflow/"


class Laptop:
    """`slipway serve --anonymous dev` on a folder, started as often as it is killed."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.start()

    def start(self):
        (self.folder / "server.json").unlink(missing_ok=True)
        self.log = open(self.folder.parent / "server.log", "ab")
        self.process = subprocess.Popen(
            [binary(), "serve", "--data", str(self.folder), "--port", "0", "--anonymous", "dev"], stdout=self.log, stderr=self.log)
        self.port = wait_for(self.folder / "server.json", self.process)["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def post(self, path, body, timeout=30):
        request = urllib.request.Request(self.url + API + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read())

    def get(self, path):
        with urllib.request.urlopen(self.url + API + path, timeout=30) as answer:
            return json.loads(answer.read())

    def raw(self, method, path, body=b"", headers=None):
        request = urllib.request.Request(self.url + path, body or None, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def run(self):
        return self.post("runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.log.close()


@pytest.fixture
def laptop(tmp_path):
    (tmp_path / "data").mkdir()
    server = Laptop(tmp_path / "data")
    yield server
    server.stop()


def test_kill_under_32_writers_loses_and_doubles_nothing_that_was_acknowledged(laptop):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rnd = random.Random(seed)
    runs = [laptop.run() for _ in range(8)]
    metrics, params, tags, files, made = [set() for _ in range(5)]
    lock = threading.Lock()
    stop = threading.Event()

    def writer(number):
        own = random.Random(seed + number)
        for count in range(1 << 30):
            if stop.is_set():
                return
            run, kind, name = own.choice(runs), own.randrange(5), f"w{number}-{count}"
            try:
                if kind == 0:
                    laptop.post("runs/log-metric", {"run_id": run, "key": "m", "value": number, "timestamp": count, "step": number * 1_000_000 + count})
                elif kind == 1:
                    laptop.post("runs/log-batch", {"run_id": run, "params": [{"key": name, "value": "x"}]})
                elif kind == 2:
                    laptop.post("runs/set-tag", {"run_id": run, "key": name, "value": "x"})
                elif kind == 3:
                    request = urllib.request.Request(
                        f"{laptop.url}/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/{name}", name.encode(), method="PUT")
                    urllib.request.urlopen(request, timeout=30).read()
                else:
                    name = laptop.run()
            except (OSError, ValueError, urllib.error.URLError):
                return
            with lock:
                if kind == 0:
                    metrics.add((run, number * 1_000_000 + count))
                else:
                    {1: params, 2: tags, 3: files}.get(kind, made).add((run, name))

    for _ in range(2):
        stop.clear()
        threads = [threading.Thread(target=writer, args=(n + rnd.randrange(1000) * 32,)) for n in range(32)]
        for thread in threads:
            thread.start()
        while sum(map(len, (metrics, params, tags, files, made))) < 400 and any(t.is_alive() for t in threads):
            threading.Event().wait(0.01)
        laptop.kill()
        stop.set()
        for thread in threads:
            thread.join()
        laptop.start()
    assert metrics and params and tags and files and made, f"seed {seed}"
    for run in runs:
        data = laptop.get(f"runs/get?run_id={run}")["run"]["data"]
        history = laptop.get(f"metrics/get-history?run_id={run}&metric_key=m").get("metrics", [])
        steps = [point["step"] for point in history]
        assert len(steps) == len(set(steps)), f"doubled points, seed {seed}"
        assert {step for of, step in metrics if of == run} <= set(steps), f"lost points, seed {seed}"
        assert {name for of, name in params if of == run} <= {p["key"] for p in data.get("params", [])}, f"lost params, seed {seed}"
        assert {name for of, name in tags if of == run} <= {t["key"] for t in data["tags"]}, f"lost tags, seed {seed}"
        stored = {f["path"] for f in laptop.get(f"artifacts/list?run_id={run}").get("files", [])}
        assert {name for of, name in files if of == run} <= stored, f"lost artifacts, seed {seed}"
        for of, name in list(files)[:20]:
            assert laptop.raw("GET", f"/api/2.0/mlflow-artifacts/artifacts/0/{of}/artifacts/{name}") == (200, name.encode())
    for _, run in made:
        assert laptop.get(f"runs/get?run_id={run}")["run"]["info"]["run_id"] == run, f"lost run, seed {seed}"


def test_a_full_disk_is_told_apart_loses_nothing_and_mends_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        (disk / "data").mkdir()
        server = Laptop(disk / "data")
        try:
            run = server.run()
            good, refused = 0, None
            for count in range(200):
                status, body = server.raw("PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/f{count}", os.urandom(1 << 20))
                if status != 200:
                    refused = status, body
                    break
                good += 1
            assert refused and refused[0] == 503, refused
            assert b"room" in refused[1] or b"full" in refused[1], refused
            # Rows need less room than that: they go on until there is none at all, and are then refused in words, too.
            stored = []
            with open(disk / "filler", "wb") as filler:
                while True:
                    try:
                        filler.write(b"x" * 65536)
                        filler.flush()
                    except OSError:
                        break
            for count in range(2000):
                status, body = server.raw(
                    "POST", API + "runs/set-tag", json.dumps({"run_id": run, "key": f"k{count}", "value": "v" * 5000}).encode(),
                    {"Content-Type": "application/json"})
                if status != 200:
                    assert status == 503 and b"TEMPORARILY_UNAVAILABLE" in body, (status, body)
                    break
                stored.append(f"k{count}")
            else:
                pytest.fail("the disk was never full")
            (disk / "filler").unlink()
            server.post("runs/set-tag", {"run_id": run, "key": "after", "value": "v"})
            server.kill()
            server.start()
            keys = {tag["key"] for tag in server.get(f"runs/get?run_id={run}")["run"]["data"]["tags"]}
            assert set(stored) | {"after"} <= keys
            assert len(server.get(f"artifacts/list?run_id={run}")["files"]) == good
        finally:
            server.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_ten_thousand_idle_connections_do_not_keep_others_waiting(laptop):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(10_000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, wanted + 200)), hard))
    idle = []
    try:
        for _ in range(wanted):
            idle.append(socket.create_connection(("127.0.0.1", laptop.port)))
        run = laptop.run()
        laptop.post("runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1})
        assert laptop.get(f"runs/get?run_id={run}")["run"]["data"]["metrics"][0]["value"] == 1
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_client_that_sends_a_byte_at_a_time_holds_nobody_up(laptop):
    run = laptop.run()
    slow = [socket.create_connection(("127.0.0.1", laptop.port)) for _ in range(50)]
    for connection in slow:
        connection.sendall(b"POST /api/2.0/mlflow/runs/log-metric HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    for count in range(20):
        slow[count].sendall(b" ")
        laptop.post("runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": count}, timeout=5)
    for connection in slow:
        connection.close()
    assert len(laptop.get(f"metrics/get-history?run_id={run}&metric_key=m")["metrics"]) == 20


def test_a_huge_batch_is_refused_before_it_is_read_and_memory_stays_flat(laptop):
    before = int((pathlib.Path("/proc") / str(laptop.process.pid) / "statm").read_text().split()[1])
    connection = socket.create_connection(("127.0.0.1", laptop.port))
    connection.settimeout(30)
    connection.sendall(b"POST /api/2.0/mlflow/runs/log-batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n")
    answer = b""
    try:
        for _ in range(1000):
            connection.sendall(b" " * 1_000_000)
    except OSError:
        pass  # the server has hung up, as it may
    try:
        answer = connection.recv(65536)
    except OSError:
        pass
    connection.close()
    assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0] or b" 413 " in answer.split(b"\r\n")[0], answer[:300]
    after = int((pathlib.Path("/proc") / str(laptop.process.pid) / "statm").read_text().split()[1])
    assert (after - before) * resource.getpagesize() < 100 << 20
    laptop.run()


@pytest.mark.parametrize(
    "body, headers",
    [
        (b"[" * 1_000_000, {}),
        (b'{"run_id":' * 200_000, {}),
        (gzip.compress(b" " * (64 << 20)), {"Content-Encoding": "gzip"}),
        (b'{"run_id":"' + b"a" * 10_000_000 + b'"}', {}),
        (b"\xff\xfe\x00", {}),
    ],
    ids=["deep", "deeper", "gzip bomb", "ten megabytes of a name", "no text"])
def test_bodies_that_mean_harm_are_refused(laptop, body, headers):
    for path in ("runs/log-batch", "runs/log-metric", "runs/create", "runs/search"):
        status, answer = laptop.raw("POST", API + path, body, {"Content-Type": "application/json", **headers})
        assert status in (200, 400, 404, 413), (path, status, answer[:300])
        if status == 200:
            assert path == "runs/search" and answer == b"{}", (path, answer[:300])
    laptop.run()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "%2e%2e/x", "a/%2e%2e/%2e%2e/x", "%252e%252e/x", "a%00b", "..%5cx/../y"])
def test_artifact_paths_that_lead_elsewhere_are_refused(laptop, path):
    run = laptop.run()
    for method, body in (("PUT", b"x"), ("GET", b""), ("DELETE", b"")):
        connection = socket.create_connection(("127.0.0.1", laptop.port))
        connection.sendall(
            f"{method} /api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body)
        answer = connection.recv(65536)
        connection.close()
        assert answer.split(b" ")[1] in (b"400", b"404"), (method, path, answer[:300])
    assert laptop.get(f"artifacts/list?run_id={run}").get("files") is None
