"""Scripts that misbehave, and the words people get about them."""

import subprocess
import time

import pytest

from small import PROJECT, Small
from story.doors import Refused


@pytest.fixture(scope="module")
def small(tmp_path_factory, binary_path):
    from conftest import end
    from story.doors import Server
    folder = tmp_path_factory.mktemp("small")
    server = Server(binary_path, folder / "data", 0)
    yield Small(server, folder).begin()
    end(server)


def run(small: Small, branch: str, steps: dict) -> dict:
    return small.ended(small.execution(small.push(branch, steps))["id"])


def test_script_that_exits_3_names_command_and_last_lines(small):
    ended = run(small, "exit-3", {"train": "echo first; echo the last word; exit 3"})
    assert ended["state"] == "failed"
    step = ended["steps"][0]
    assert step["exit_code"] == 3
    assert "exit 3" in ended["message"] and "the last word" in ended["message"]


def test_later_steps_do_not_run_after_a_failure(small):
    ended = run(small, "chain", {"one": "exit 1", "two": {"run": "echo never", "needs": ["one"]}})
    assert ended["state"] == "failed" and ended["steps"][1]["state"] != "succeeded" and "never" not in small.log(ended["id"]).split("── one")[0]


def test_100_mb_of_output_stay_bounded(small):
    ended = run(small, "loud", {"train": "head -c 100000000 /dev/zero | tr '\\\\0' 'x' | fold -w 100; echo finished"})
    assert ended["state"] == "succeeded"
    kept = sum(file.stat().st_size for file in small.server.data.glob(f"dev/executions/{ended['id']}/**/log*"))
    assert 0 < kept < 70_000_000, "64 MiB are kept"
    assert "finished" in small.log(ended["id"]), "the end is kept"


def test_children_go_with_their_step(small):
    mark = f"{time.time_ns()}"
    ended = run(small, "forks", {"train": f"for i in 1 2 3; do (trap '' TERM; sleep 600.{mark}) & done; setsid sleep 601.{mark} & sleep 0.2; echo parent ends"})
    assert ended["state"] == "succeeded"
    assert subprocess.run(["pgrep", "-f", f"sleep 60[01].{mark}"], capture_output=True).returncode == 1, "nothing is left running"


def test_cancel_ends_a_script_that_ignores_sigterm_and_retry_runs_it_again(small):
    id = small.execution(small.push("deaf", {"train": "trap '' TERM; echo begun; while :; do sleep 0.1; done"}))["id"]
    small.running(id, "train")
    small.ada.run("execution", "cancel", id)
    assert small.ended(id)["state"] == "canceled"
    with pytest.raises(Refused) as refused:
        small.ada.run("execution", "cancel", id)
    assert refused.value.code == 5
    small.ada.run("execution", "retry", id)
    small.running(id, "train")
    small.ada.run("execution", "cancel", id)
    assert small.ended(id)["state"] == "canceled"


def test_retry_keeps_finished_steps(small):
    id = small.execution(small.push("half", {
        "one": "date +%s%N", "two": {"run": f"test -e {small.folder}/let-through", "needs": ["one"]}}))["id"]
    assert small.ended(id)["state"] == "failed"
    first = small.show(id)["steps"][0]
    (small.folder / "let-through").touch()
    small.ada.run("execution", "retry", id)
    ended = small.ended(id)
    assert ended["state"] == "succeeded" and ended["steps"][0]["started_at"] == first["started_at"]


@pytest.mark.parametrize("yaml, line, words", [
    ("project: small\nowner: a@example.org\npyton: {}\n", 3, "pyton"),
    ("project: small\nowner: [1, 2]\n", 2, "owner"),
    ("project: small\nowner: a@example.org\npython: { version: \"3.11\", requirements: requirements.txt }\npipeline:\n"
     "  a: { run: x, needs: [b] }\n  b: { run: x, needs: [a] }\n", 5, "a"),
])
def test_mistakes_in_slipway_yaml_name_line_and_fix(small, tmp_path, yaml, line, words):
    (tmp_path / "slipway.yaml").write_text(yaml)
    (tmp_path / "requirements.txt").write_text("# none\n")
    with pytest.raises(Refused) as refused:
        small.ada.run("project", "validate", tmp_path)
    assert refused.value.code == 64
    assert f"line {line}" in refused.value.message and words in refused.value.message


def test_init_makes_a_project_that_runs_without_a_server(small, tmp_path):
    small.ada.run("init", "churn", cwd=tmp_path)
    project = tmp_path / "churn"
    assert "is fine" in small.ada.run("project", "validate", cwd=project)
    from conftest import ROOT
    subprocess.run([ROOT / ".venv/bin/python", "example_data.py", "example-data"], cwd=project, check=True, capture_output=True)
    said = small.ada.run("run", "--local", "--input", "examples=example-data", cwd=project, timeout=300)
    assert "'auc':" in said


def test_push_starts_within_a_second_when_the_environment_is_warm(small):
    run(small, "warm", {"train": "true"})
    commit = small.push("quick", {"train": "true"})
    ended = small.ended(small.execution(commit)["id"])
    from story.story import moment
    began = moment(ended["steps"][0]["started_at"]) - moment(ended["created_at"])
    assert began.total_seconds() < 3, "aim: 1 s; three on a busy machine"
