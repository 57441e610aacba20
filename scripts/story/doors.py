"""The public doors: the command line, Git, HTTP. Nothing here looks into the server's folder but for what a person would look up there."""

import base64
import contextlib
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time

import requests

ENVIRONMENTS = ("dev", "stage", "prod")


class Refused(Exception):
    """The server, the command line or Git said no."""

    def __init__(self, what: str, code: int, message: str):
        super().__init__(f"{what}: {message.strip()}")
        self.what, self.code, self.message = what, code, message.strip()


class Server:
    """`slipway serve`, started when it does not answer yet. It outlives this program."""

    def __init__(self, binary: pathlib.Path, data: pathlib.Path, port: int, environment: dict | None = None):
        self.binary, self.data, self.port = binary.resolve(), data.resolve(), port
        self.environment = environment or {}
        self.log = self.data / "server.log"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def announced(self) -> dict:
        """What the running server says of itself: its process, its port."""
        try:
            return json.loads((self.data / "server.json").read_text())
        except (OSError, ValueError):
            return {}

    def start(self, patience: float = 30) -> float:
        """Seconds until the first answer. Port 0: a free one is chosen."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.port == 0:
            self.port = free_port()
        began = time.monotonic()
        before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", self.data, "--port", str(self.port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=os.environ | self.environment)
        while time.monotonic() - began < patience:
            if self.answers():
                return time.monotonic() - began
            if self.process.poll() is not None:
                raise Refused("slipway serve", self.process.returncode, self.log.read_bytes()[before:].decode(errors="replace"))
            time.sleep(0.02)
        raise Refused("slipway serve", 0, f"no answer within {patience:.0f} s\n{tail(self.log)}")

    def pid(self) -> int:
        return self.announced()["pid"]

    def kill(self) -> None:
        """As power loss does it: no chance to say goodbye."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        self._gone(pid, 10)

    def stop(self, patience: float = 30) -> None:
        pid = self.announced().get("pid")
        if pid is None or not alive(pid):
            return
        os.kill(pid, signal.SIGTERM)
        if not self._gone(pid, patience):
            os.kill(pid, signal.SIGKILL)
            self._gone(pid, 10)

    def _gone(self, pid: int, patience: float) -> bool:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            process = getattr(self, "process", None)
            # Of our own child only `poll` knows when its last thread is gone, and with it the lock on its folder.
            if process.poll() is not None if process is not None and process.pid == pid else not alive(pid):
                return True
            time.sleep(0.02)
        return False

    def secret(self) -> str:
        return (self.data / "first-start-secret").read_text().strip()

    def person(self, name: str, password: str, full_name: str, folder: pathlib.Path) -> "Person":
        return Person(self, name, password, full_name, folder)


class Person:
    """Somebody at a terminal: signed in once, with a home of their own."""

    def __init__(self, server: Server, name: str, password: str, full_name: str, folder: pathlib.Path):
        self.server, self.name, self.password, self.full_name = server, name, password, full_name
        self.email = f"{name}@example.org"
        self.credentials = folder / f"{name}.json"
        self.http = requests.Session()

    def environment(self) -> dict:
        # The command line reads these two; nothing else of this program's surroundings matters to it.
        return os.environ | {"SLIPWAY_SERVER": self.server.address, "SLIPWAY_CREDENTIALS": str(self.credentials)}

    def sign_in(self) -> None:
        self.credentials.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.run("login", "--user", self.name, "--password-stdin", typed=self.password + "\n")
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    @property
    def token(self) -> str:
        return json.loads(self.credentials.read_text())["tokens"][self.server.address]

    def run(self, *words: str, typed: str | None = None, cwd: pathlib.Path | None = None, timeout: float = 600) -> str:
        """`slipway WORDS`: what it printed. Raises `Refused` with its exit status and its words."""
        words = tuple(str(word) for word in words)
        done = subprocess.run(
            [self.server.binary, *words], input=typed, stdin=subprocess.DEVNULL if typed is None else None, capture_output=True, text=True,
            env=self.environment(), cwd=cwd, timeout=timeout)
        if done.returncode != 0:
            raise Refused(f"slipway {' '.join(words[:3])}", done.returncode, done.stderr or done.stdout)
        return done.stdout

    def ask(self, *words: str, **options) -> dict:
        """`slipway WORDS --json`."""
        answer = self.run(*words, "--json", **options)
        return json.loads(answer) if answer.strip() else {}

    def get(self, path: str, **query) -> dict:
        return self._answer(self.http.get(self.server.address + path, params=query, timeout=60), path)

    def post(self, path: str, body: dict | None = None, timeout: float = 120) -> dict:
        return self._answer(self.http.post(self.server.address + path, json=body or {}, timeout=timeout), path)

    def items(self, path: str, **query) -> list[dict]:
        """All pages of a list."""
        found: list[dict] = []
        while True:
            page = self.get(path, **query)
            found += page["items"]
            if not page.get("next"):
                return found
            query["before"] = page["next"]

    @staticmethod
    def _answer(response: requests.Response, path: str) -> dict:
        if response.status_code >= 400:
            try:
                error = response.json()["error"]
                message = " ".join(filter(None, [error["message"], *(r["message"] for r in error.get("reasons", [])), error.get("remedy")]))
            except (ValueError, KeyError, TypeError):
                message = response.text[:300]
            raise Refused(path, response.status_code, message)
        return response.json() if response.content else {}

    # Git

    def git_environment(self) -> dict:
        pair = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return os.environ | {
            # In the environment, not on the command line, where every process could read it.
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{self.server.address}/.extraHeader", "GIT_CONFIG_VALUE_0": f"Authorization: Basic {pair}",
            "GIT_AUTHOR_NAME": self.full_name, "GIT_AUTHOR_EMAIL": self.email, "GIT_COMMITTER_NAME": self.full_name, "GIT_COMMITTER_EMAIL": self.email,
            "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
        }

    def git(self, *words: str, cwd: pathlib.Path | None = None) -> str:
        done = subprocess.run(["git", *(str(word) for word in words)], cwd=cwd, capture_output=True, text=True, env=self.git_environment(), timeout=300)
        if done.returncode != 0:
            raise Refused(f"git {words[0]}", done.returncode, done.stderr)
        return done.stdout.strip()


def alive(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def free_port() -> int:
    """A port that is free now, as are the three above it, where the gateways will listen. Below the range that the system gives to callers."""
    while True:
        base = 20_000 + secrets.randbelow(1_200) * 10
        with contextlib.ExitStack() as held:
            try:
                for port in range(base, base + 4):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return base


def tail(log: pathlib.Path, lines: int = 12) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def new_password() -> str:
    return secrets.token_urlsafe(12)
