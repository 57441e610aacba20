"""One server for the whole session: `slipway serve` on a fresh folder, with its first people made through the public doors.

SLIPWAY_TEST_URL and SLIPWAY_TEST_TOKEN name a running server instead; SLIPWAY_BINARY names the binary to start.
"""
import dataclasses
import json
import os
import pathlib
import subprocess
import time
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"
PROJECT = "flights"


@dataclasses.dataclass
class Server:
    url: str
    token: str
    folder: pathlib.Path | None = None

    def call(self, method, path, body=None, token=None, expect=None, headers=None):
        """Sends JSON and returns (status, decoded answer)."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if token != "":
            request.add_header("Authorization", f"Bearer {token or self.token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        if expect is not None:
            assert status == expect, f"{method} {path}: {status} {text[:500]!r}"
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text


def binary():
    if named := os.environ.get("SLIPWAY_BINARY"):
        return named
    for build in ("release", "debug"):
        candidate = ROOT / ".build" / build / "slipway"
        if candidate.exists():
            return str(candidate)
    raise RuntimeError("build first: swift build")


def wait_for(file, process, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        if file.exists() and file.stat().st_size:
            try:
                return json.loads(file.read_text())
            except ValueError:
                pass
        time.sleep(0.05)
    raise RuntimeError(f"no {file} after {seconds} s")


def bootstrap(server, secret):
    people = [
        {"name": "ada", "full_name": "Ada", "password": PASSWORD, "emails": ["ada@example.org"], "administrator": True,
         "roles": {"dev": ["contributor"], "stage": ["engineer"], "prod": ["viewer"]}},
        {"name": "vera", "full_name": "Vera", "password": PASSWORD, "emails": ["vera@example.org"], "roles": {"dev": ["viewer"]}},
    ]
    server.call("POST", "/api/v1/bootstrap", {"secret": secret, "project": PROJECT, "people": people}, token="", expect=201)


def sign_in(server, user):
    _, answer = server.call("POST", "/api/v1/sign-in", {"user": user, "password": PASSWORD}, token="", expect=201)
    return answer["secret"]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    if url := os.environ.get("SLIPWAY_TEST_URL"):
        yield Server(url, os.environ["SLIPWAY_TEST_TOKEN"])
        return
    folder = tmp_path_factory.mktemp("slipway")
    data = folder / "data"
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen([binary(), "serve", "--data", str(data), "--port", "0"], stdout=log, stderr=log)
        try:
            found = wait_for(data / "server.json", process)
            server = Server(f"http://127.0.0.1:{found['port']}", "", data)
            bootstrap(server, (data / "first-start-secret").read_text().strip())
            server.token = sign_in(server, "ada")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def reader_token(server):
    """A token of somebody who may only look."""
    if not server.folder:
        return os.environ["SLIPWAY_TEST_READER_TOKEN"]
    return sign_in(server, "vera")


@pytest.fixture
def mlflow_dev(server, monkeypatch):
    """The unmodified client, pointed at dev."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    import mlflow

    mlflow.set_tracking_uri(f"{server.url}/dev")
    mlflow.set_registry_uri(f"{server.url}/dev")
    yield mlflow
    while mlflow.active_run():
        mlflow.end_run()
