"""A project that is as small as can be: shell commands instead of training. For faults, which need no model."""

import json
import pathlib
import time

from story.doors import Person, Refused, Server
from story.people import People

PROJECT = "small"
YAML = """\
project: {project}
owner: team@example.org
python: {{ version: "3.11", requirements: requirements.txt }}
pipeline:
{steps}
triggers: {{ push: {{ dev: "*" }} }}
"""


class Small:
    """A server with one person, a platform administrator who may do everything in dev, and a repository."""

    def __init__(self, server: Server, folder: pathlib.Path):
        self.server, self.folder = server, folder
        self.ada = Person(server, "ada", "a long enough password", "Ada Bell", folder / "sign-ins")
        self.clone = folder / "clone"

    def begin(self) -> "Small":
        self.server.start()
        people = {"project": PROJECT, "people": [{
            "name": "ada", "full_name": "Ada Bell", "password": self.ada.password, "emails": [self.ada.email], "administrator": True,
            "roles": {"dev": ["engineer", "steward", "admin"], "stage": ["engineer", "admin"], "prod": ["reviewer", "admin"]},
        }]}
        self.ada.run("bootstrap", "--file", "-", "--secret", self.server.secret(), typed=json.dumps(people))
        self.ada.sign_in()
        self.ada.git("clone", "--quiet", self.repository, self.clone)
        return self

    @property
    def repository(self) -> str:
        return f"{self.server.address}/git/{PROJECT}.git"

    def push(self, branch: str, steps: dict[str, str], files: dict[str, str] | None = None, yaml: str | None = None) -> str:
        """Commits `slipway.yaml` with these steps and pushes it; the commit."""
        lines = "\n".join(f"  {name}: {json.dumps(step) if isinstance(step, dict) else '{ run: ' + json.dumps(step) + ' }'}" for name, step in steps.items())
        written = {"slipway.yaml": yaml or YAML.format(project=PROJECT, steps=lines), "requirements.txt": "# no packages\n"} | (files or {})
        for name, text in written.items():
            (self.clone / name).write_text(text)
        self.ada.git("add", "--all", cwd=self.clone)
        self.ada.git("commit", "--quiet", "--allow-empty", "--message", f"For {branch}", cwd=self.clone)
        self.ada.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=self.clone)
        return self.ada.git("rev-parse", "HEAD", cwd=self.clone)

    def executions(self) -> list[dict]:
        return self.ada.items("/api/v1/dev/executions", project=PROJECT)

    def execution(self, commit: str, patience: float = 30) -> dict:
        return wait(lambda: next((each for each in self.executions() if each["commit"] == commit), None), patience, f"an execution of {commit[:12]}")

    def show(self, id: str) -> dict:
        return self.ada.get(f"/api/v1/dev/executions/{id}")

    def ended(self, id: str, patience: float = 90) -> dict:
        return wait(lambda: (lambda now: now if now["state"] in ("succeeded", "failed", "canceled", "errored") else None)(self.show(id)), patience, f"the end of {id}")

    def running(self, id: str, step: str, patience: float = 60) -> dict:
        return wait(
            lambda: next((each for each in self.show(id)["steps"] if each["name"] == step and each["state"] == "running"), None), patience, f"step {step} of {id} running")

    def log(self, id: str) -> str:
        return self.ada.run("execution", "logs", id)


def wait(look, patience: float, what: str):
    end = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {patience} s")
        time.sleep(0.05)
