"""The story of the demo, step by step. Whether a step is done is asked of the server; nothing is remembered beside it.

Every step is a method that may be called again: it looks first, then does what is missing.
"""

import contextlib
import dataclasses
import datetime
import json
import pathlib
import shutil
import subprocess
import sys
import time

from . import show, traffic
from .doors import Person, Refused, Server
from .people import CAST, PROJECT, People

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATASET, SLOT, MODEL, BRANCH = "flights", "flight-delay", "flight-delay", "late-flights"
FIRST_SNAPSHOT = "2013-03"
#: Months after whose report prod gets newer data, so that a crossing has something to retrain on. What comes of it, the gates decide.
RETRAIN_AFTER = (6, 10)
OVER = ("succeeded", "failed", "canceled", "errored")
#: New York's midnight, in UTC: months are cut there.
MIDNIGHT = {month: "04:00:00" if 4 <= month <= 11 else "05:00:00" for month in range(1, 14)}


@dataclasses.dataclass
class Plan:
    """What of the story is played: all of it in the demo, less in tests."""

    share: float = 1.0
    months: tuple[int, ...] = tuple(range(4, 13))
    retrain_after: tuple[int, ...] = RETRAIN_AFTER


class Story:
    def __init__(self, server: Server, plan: Plan | None = None, stage: show.Stage | None = None):
        self.server, self.plan = server, plan or Plan()
        self.stage = stage or show.Stage()
        self.people = People(server)
        self.work = server.data / "demo"
        self.data = self.work / "data"
        self.seconds: dict[str, float] = {}

    def play(self) -> None:
        for chapter in (self.start, self.meet, self.bring_data, self.push, self.look_at_run, self.promote_to_stage, self.promote_to_prod, self.replay, self.look_back):
            began = time.monotonic()
            chapter()
            self.seconds[chapter.__name__] = time.monotonic() - began

    # 0

    def start(self) -> None:
        self.stage.chapter("0", "The server")
        with self.stage.step("slipway serve") as step:
            announced = self.server.announced().get("address")
            if self.server.answers():
                if announced != self.server.address:
                    raise Refused("slipway serve", 7, f"Somebody else answers at {self.server.address}. Choose another port: make demo PORT=5090")
                step.result = f"answers already at {self.server.address}"
            else:
                took = self.server.start()
                step.result = f"first answer after {took * 1000:.0f} ms, at {self.server.address}"

    # 1

    def meet(self) -> None:
        self.stage.chapter("1", "People, roles, and a policy that says 'demo'")
        self.people.load()
        with self.stage.step("the one-time secret makes the first people") as step:
            if self.people.are_known():
                step.result = "they are known already"
            else:
                self.people.radia.run("bootstrap", "--file", "-", "--secret", self.server.secret(), typed=self.people.bootstrap_file())
                step.result = ", ".join(CAST)
        with self.stage.step("everybody signs in", len(CAST)) as step:
            for person in self.people.everybody():
                person.sign_in()
                step.advance(detail=person.name)
        for environment in ("stage", "prod"):
            with self.stage.step(f"policy 'demo' in {environment}: seconds for hours") as step:
                step.result = self._install_policy(environment)

    def _install_policy(self, environment: str) -> str:
        policy = self.people.radia.get(f"/api/v1/{environment}/policy", project=PROJECT)
        if policy["name"] == "demo":
            return "in force already"
        self.people.radia.run("policy", "install", ROOT / f"Resources/policies/demo-{environment}.yaml", "--project", PROJECT)
        return "in force"

    # 2

    def bring_data(self) -> None:
        self.stage.chapter("2", "Data: prod is the source, stage a masked copy, dev a sample that expires")
        with self.stage.step("flights joined with weather and aircraft") as step:
            step.result = self._make_data()
        with self.stage.step("grace declares the data in slipway.yaml") as step:
            step.result = self._push_frame()
        with self.stage.step("prod: January to March") as step:
            snapshot = self.import_snapshot(FIRST_SNAPSHOT)
            step.result = f"snapshot {snapshot['id']}, {snapshot['tables'][0]['rows']:,} rows, checks {snapshot['verdict']}"
        for environment in ("stage", "dev"):
            with self.stage.step(f"{environment}: by the recipe that margaret adopts") as step:
                step.result = self._refresh(environment)

    def _make_data(self) -> str:
        mark = self.data / "complete"
        wanted = f"share {self.plan.share}"
        if not (mark.exists() and mark.read_text().strip().endswith(wanted)):
            done = subprocess.run(
                [sys.executable, ROOT / "scripts/flights_data.py", self.data, "--share", str(self.plan.share)], capture_output=True, text=True)
            if done.returncode != 0:
                raise Refused("scripts/flights_data.py", done.returncode, done.stderr)
        return mark.read_text().strip()

    def _push_frame(self) -> str:
        """The project's file alone, without triggers: data has to be there before a pipeline can run on it."""
        grace = self.people.grace
        clone = self._clone(grace)
        if "main" in self.branches(grace):
            return "declared already"
        example = ROOT / "examples/flight-delays"
        lines = (example / "slipway.yaml").read_text().splitlines(keepends=True)
        (clone / "slipway.yaml").write_text("".join(line for line in lines if not line.startswith("triggers:")))
        for name in ("checks", "MODEL_CARD.md", "requirements.in", "requirements.txt"):
            copy(example / name, clone / name)
        grace.git("add", "--all", cwd=clone)
        grace.git("commit", "--quiet", "--message", "Declare the data and how it reaches stage and dev", cwd=clone)
        grace.git("push", "--quiet", "origin", "HEAD:main", cwd=clone)
        self._wait("the project file in force", lambda: self.people.margaret.items(f"/api/v1/stage/data/{DATASET}/recipes", project=PROJECT), 20)
        return "pushed to main"

    def import_snapshot(self, last_month: str) -> dict:
        """Three months up to `last_month`, tagged with its name. The same twice is once."""
        margaret = self.people.margaret
        for known in margaret.items(f"/api/v1/prod/data/{DATASET}/snapshots", project=PROJECT):
            if last_month in known["tags"]:
                return known
        return margaret.ask("data", "import", f"prod/{DATASET}", self.data / "snapshots" / last_month, "--tag", last_month, "--project", PROJECT)

    def _refresh(self, environment: str) -> str:
        margaret = self.people.margaret
        recipes = margaret.items(f"/api/v1/{environment}/data/{DATASET}/recipes", project=PROJECT)
        if not any(recipe["is_in_force"] for recipe in recipes):
            margaret.run("data", "adopt", f"{environment}/{DATASET}", "--project", PROJECT)
        found = margaret.items(f"/api/v1/{environment}/data/{DATASET}/snapshots", project=PROJECT)
        if not found:
            margaret.run("data", "refresh", f"{environment}/{DATASET}", "--project", PROJECT)
            found = margaret.items(f"/api/v1/{environment}/data/{DATASET}/snapshots", project=PROJECT)
        newest = found[0]
        expiry = f", expires {newest['expires_at'][:10]}" if newest.get("expires_at") else ""
        return f"snapshot {newest['id']}, {newest['tables'][0]['rows']:,} rows{expiry}"

    # 3

    def push(self) -> None:
        self.stage.chapter("3", "Code: a branch runs in dev, main runs in stage and seals a release")
        with self.stage.step("slipway project validate") as step:
            step.result = self.people.ada.run("project", "validate", ROOT / "examples/flight-delays").strip()
        commit = self._push_branch()
        self.follow("dev", self.wait_for_execution("dev", commit), "ada pushes 'late-flights': the pipeline in dev")
        merge = self._merge()
        execution = self.follow("stage", self.wait_for_execution("stage", merge), "grace merges to main: the pipeline in stage")
        if not execution.get("release"):
            raise Refused("the pipeline in stage", 1, f"it sealed no release: {execution.get('message')}")
        self.stage.note(f"release {execution['release'][:12]}")

    def _push_branch(self) -> str:
        ada = self.people.ada
        with self.stage.step("ada commits the model's code to a branch") as step:
            known = self.branches(ada).get(BRANCH)
            if known:
                step.result = f"{known[:12]}, pushed already"
                return known
            clone = self._clone(ada)
            ada.git("fetch", "--quiet", "origin", cwd=clone)
            ada.git("checkout", "--quiet", "-B", BRANCH, "origin/main", cwd=clone)
            shutil.copytree(ROOT / "examples/flight-delays", clone, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            ada.git("add", "--all", cwd=clone)
            ada.git("commit", "--quiet", "--message", "Predict late arrivals from schedule, weather and aircraft", cwd=clone)
            ada.git("push", "--quiet", "origin", f"HEAD:{BRANCH}", cwd=clone)
            commit = ada.git("rev-parse", "HEAD", cwd=clone)
            step.result = commit[:12]
            return commit

    def _merge(self) -> str:
        grace = self.people.grace
        branches = self.branches(grace)
        clone = self._clone(grace)
        grace.git("fetch", "--quiet", "origin", cwd=clone)
        if grace.git("merge-base", "origin/main", branches[BRANCH], cwd=clone) == branches[BRANCH]:
            return branches["main"]
        grace.git("checkout", "--quiet", "-B", "main", "origin/main", cwd=clone)
        grace.git("merge", "--quiet", "--no-ff", "--message", f"Merge '{BRANCH}'", f"origin/{BRANCH}", cwd=clone)
        grace.git("push", "--quiet", "origin", "main", cwd=clone)
        return grace.git("rev-parse", "HEAD", cwd=clone)

    def branches(self, person: Person) -> dict[str, str]:
        listing = person.git("ls-remote", "--heads", self.repository)
        return {line.split("refs/heads/")[1]: line.split()[0] for line in listing.splitlines()}

    @property
    def repository(self) -> str:
        return f"{self.server.address}/git/{PROJECT}.git"

    def _clone(self, person: Person) -> pathlib.Path:
        clone = self.work / "clones" / person.name
        if not (clone / ".git").exists():
            shutil.rmtree(clone, ignore_errors=True)
            clone.parent.mkdir(parents=True, exist_ok=True)
            person.git("clone", "--quiet", self.repository, clone)
        return clone

    def wait_for_execution(self, environment: str, commit: str) -> str:
        def find() -> str | None:
            for execution in self.people.grace.items(f"/api/v1/{environment}/executions", project=PROJECT):
                if execution["commit"] == commit and execution["trigger"] == "push":
                    return execution["id"]
            return None

        return self._wait(f"an execution of {commit[:12]} in {environment}", find, 30)

    def follow(self, environment: str, execution: str, title: str) -> dict:
        """Streams the log until the execution is over; its steps are the bar."""
        grace = self.people.grace
        path = f"/api/v1/{environment}/executions/{execution}"
        found = grace.get(path)
        steps = [each["name"] for each in found["steps"]]
        with self.stage.step(title, len(steps)) as step:
            if found["state"] not in OVER:
                with grace.http.get(f"{self.server.address}{path}/log", params={"follow": "true"}, stream=True, timeout=600) as log:
                    for line in log.iter_lines(decode_unicode=True):
                        # A step's part of the log begins with a line that names it.
                        heading = line.strip("─ ").split(",")[0] if line.startswith("──") else None
                        if heading in steps:
                            step.done = steps.index(heading)
                        step.say(line)
            found = self._wait("its end", lambda: (lambda now: now if now["state"] in OVER else None)(grace.get(path)), 300)
            if found["state"] != "succeeded":
                last = grace.run("execution", "logs", execution, "--environment", environment)
                raise Refused(f"execution {execution} in {environment}", 1, f"{found['state']}: {found.get('message')}\n" + "\n".join(last.splitlines()[-15:]))
            took = seconds_between(found["started_at"], found["ended_at"])
            times = ", ".join(f"{each['name']} {seconds_between(each['started_at'], each['ended_at']):.1f}" for each in found["steps"])
            step.result = f"{took:.1f} s ({times})"
        return found

    # 4

    def look_at_run(self) -> None:
        self.stage.chapter("4", "The run in tracking, the version in the registry")
        execution = self.oldest_execution("stage")
        with self.stage.step("metrics, commit, data, picture, model") as step:
            run = self.run_facts("stage", execution["run_id"])
            step.result = f"AUC {run['metrics']['auc']:.3f}, commit {run['tags']['mlflow.source.git.commit'][:12]}, {run['tags'][f'slipway.snapshot.{DATASET}']}"
        with self.stage.step("the registered version") as step:
            version = self.people.ada.get(f"/stage/api/2.0/mlflow/model-versions/search", filter=f"name='{MODEL}'")["model_versions"][0]
            step.result = f"{version['name']} {version['version']}"

    def oldest_execution(self, environment: str) -> dict:
        """The first one of main that sealed a release."""
        return [each for each in self.people.grace.items(f"/api/v1/{environment}/executions", project=PROJECT)
                if each["trigger"] == "push" and each["state"] == "succeeded" and each.get("release")][-1]

    def run_facts(self, environment: str, run: str) -> dict:
        data = self.people.ada.get(f"/{environment}/api/2.0/mlflow/runs/get", run_id=run)["run"]["data"]
        return {kind: {each["key"]: each["value"] for each in data.get(kind, [])} for kind in ("metrics", "params", "tags")}

    # 5, 6

    def promote_to_stage(self) -> None:
        self.stage.chapter("5", "Stage: gates on stage's data, one approval")
        self.promote(self.first_release(), "stage", drip=None)
        self._answer("stage")

    def promote_to_prod(self) -> None:
        self.stage.chapter("6", "Prod: two approvals by two people, neither of them the author")
        self.promote(self.first_release(), "prod", drip=3, author_tries=True)
        self._answer("prod")

    def first_release(self) -> str:
        return self.oldest_execution("stage")["release"]

    def promotions(self, environment: str, release: str) -> list[dict]:
        """Of this release into the slot, newest first."""
        found = self.people.grace.items(f"/api/v1/{environment}/promotions", project=PROJECT, slot=SLOT)
        return [each for each in found if each["release"] == release]

    def promotion(self, environment: str, id: str) -> dict:
        return self.people.grace.get(f"/api/v1/{environment}/promotions/{id}")

    def promote(self, release: str, environment: str, drip: int | None, author_tries: bool = False) -> dict:
        """Requests, waits for the gates, gathers approvals, applies. Picks up whatever promotion of the release is under way.

        The release may end up blocked: that is an answer, not a mistake.
        """
        found = next(iter(self.promotions(environment, release)), None)
        if found is None or found["state"] in ("rejected", "expired", "withdrawn", "superseded", "failed", "rolledBack"):
            with self.stage.step(f"grace requests {release[:12]} for {environment}") as step:
                # The soak time of the policy has to pass first.
                found = self._insist(lambda: self.people.grace.ask("promotion", "request", release, "--to", environment), "soak", 30)
                step.result = f"promotion {found['id']}"
        with self.stage.step(f"{environment}: gates measure", len(found["plan"]["gates"])) as step:
            found = self._gates(environment, found["id"], step)
        if found["state"] == "blocked":
            for reason in found["reasons"]:
                self.stage.note(f"- {reason['message']}")
            return found
        if found["state"] == "awaitingApproval":
            if author_tries:
                self._author_is_refused(environment, found["id"])
            for person in (self.people.barbara, self.people.edsger):
                if not self.promotion(environment, found["id"])["missing"]:
                    break
                with self.stage.step(f"{environment}: {person.name} approves") as step:
                    person.run("promotion", "approve", f"{environment}/{found['id']}", "--comment", "The gates measured what I would have asked for.")
            found = self.promotion(environment, found["id"])
        if found["state"] in ("approved", "waiting"):
            self.people.edsger.run("promotion", "apply", f"{environment}/{found['id']}")
        return self._roll_out(environment, found["id"], drip)

    def _gates(self, environment: str, id: str, step: show.Step) -> dict:
        def look() -> dict | None:
            now = self.promotion(environment, id)
            step.done = len({each["gate"] for each in now["evidence"] if each["attempt"] == now["attempt"]})
            step.say(now["state"])
            return None if now["state"] in ("draft", "checking") else now

        found = self._wait("the gates' evidence", look, 180)
        outcomes = {each["gate"]: each for each in found["evidence"] if each["attempt"] == found["attempt"]}
        step.result = ", ".join(f"{gate} {'ok' if each['outcome'] == 'pass' else each['outcome']}" for gate, each in sorted(outcomes.items()))
        if found["state"] == "blocked":
            step.result = "blocked, as the gates' rules say:"
        return found

    def _author_is_refused(self, environment: str, id: str) -> None:
        with self.stage.step(f"{environment}: ada, reviewer and author, tries to approve") as step:
            try:
                self.people.ada.run("promotion", "approve", f"{environment}/{id}")
            except Refused as refused:
                if refused.code != 3:
                    raise
                step.result = "refused: " + refused.message.removeprefix("Error: ").splitlines()[0]
            else:
                raise Refused("promotion approve", 0, "the author's own approval was taken")

    def _roll_out(self, environment: str, id: str, drip: int | None) -> dict:
        """Until it is live. A canary needs requests that are really answered: flights of the month `drip` come one by one meanwhile."""
        found = self.promotion(environment, id)
        if found["state"] in ("live", "retired"):
            return found
        steps = found["plan"]["steps"]
        title = f"{environment}: " + ("canary " + "/".join(str(each["weight"]) for each in steps) if len(steps) > 1 else "goes live")
        feeding = traffic.Drip(self.endpoint(environment), self.data / f"requests/2013-{drip:02}.parquet") if drip and found["plan"].get("current") else None
        with self.stage.step(title, len(steps)) as step, feeding or contextlib.nullcontext():
            def look() -> dict | None:
                now = self.promotion(environment, id)
                if now.get("step") is not None:
                    step.done = now["step"]
                    step.say(f"{now['state']}, {steps[now['step']]['weight']} %" + (f", {feeding.answered} answered" if feeding else ""))
                return now if now["state"] in ("live", "failed", "rolledBack", "rollbackFailed", "expired", "blocked") else None

            found = self._wait("the roll-out", look, 300)
            if found["state"] != "live":
                raise Refused(f"promotion {id} to {environment}", 6, f"{found['state']}: {' '.join(each['message'] for each in found['reasons'])}")
            step.result = f"live as generation {self.slot(environment)['generation']}" + (f", {feeding.answered} requests answered on the way" if feeding else "")
        return found

    def _insist(self, act, because: str, patience: float):
        """Again while the refusal speaks of `because`."""
        end = time.monotonic() + patience
        while True:
            try:
                return act()
            except Refused as refused:
                if because not in refused.message or time.monotonic() > end:
                    raise
                time.sleep(0.3)

    def _answer(self, environment: str) -> None:
        with self.stage.step(f"{environment} answers") as step:
            flight = traffic.example(self.data / "requests/2013-04.parquet")
            content = json.dumps({"dataframe_records": [flight]}).encode()
            began = time.monotonic()
            probability = self.endpoint(environment).ask(content)[0]
            step.result = f"{flight['flight_id']}: {probability:.0%} late, in {(time.monotonic() - began) * 1000:.0f} ms"

    def endpoint(self, environment: str) -> traffic.Endpoint:
        return traffic.Endpoint(self.people.edsger, environment, SLOT)

    def slot(self, environment: str) -> dict | None:
        return next((each for each in self.people.barbara.items(f"/api/v1/{environment}/slots", project=PROJECT) if each["name"] == SLOT), None)

    # 7

    def replay(self) -> None:
        first, last = self.plan.months[0], self.plan.months[-1]
        self.stage.chapter("7", f"{month_name(first)} to {month_name(last)} through the prod endpoint; labels, drift, retraining")
        for month in self.plan.months:
            report = self.report(month) or self._live_through(month)
            if month in self.plan.retrain_after:
                self._retrain(month, report)

    def window(self, month: int) -> tuple[str, str]:
        return tuple(f"2013-{m:02}-01T{MIDNIGHT[m]}Z" if m < 13 else f"2014-01-01T{MIDNIGHT[13]}Z" for m in (month, month + 1))

    def reports(self) -> list[dict]:
        return self.people.margaret.items(f"/api/v1/prod/drift/{SLOT}")

    def report(self, month: int) -> dict | None:
        """The month's report, when the server has it."""
        first, last = map(moment, self.window(month))
        return next((each for each in self.reports() if moment(each["from"]) == first and moment(each["to"]) == last), None)

    def _live_through(self, month: int) -> dict:
        name, requests = month_name(month), self.data / f"requests/2013-{month:02}.parquet"
        rows = traffic.rows(requests)
        with self.stage.step(f"{name}: predictions", rows) as step:
            answered = self.endpoint("prod").replay(requests, lambda count: step.advance(count))
            step.result = f"{answered:,} flights, {answered / (time.monotonic() - step.began):,.0f} a second"
        if month in self.plan.retrain_after:
            with self.stage.step(f"{name}: newer data arrives in prod") as step:
                snapshot = self.import_snapshot(f"2013-{month:02}")
                step.result = f"snapshot {snapshot['id']}, {month_name(month - 2)} to {name}"
        with self.stage.step(f"{name}: labels, then a drift report") as step:
            self.people.margaret.run("labels", "import", self.data / f"labels/2013-{month:02}.csv", "--slot", f"prod/{SLOT}")
            first, last = self.window(month)
            # Retraining is left for the months that bring new data; on the others there would be nothing new to learn from.
            words = [] if month in self.plan.retrain_after else ["--no-retrain"]
            report = self.people.grace.ask("drift", "report", f"prod/{SLOT}", "--from", first, "--to", last, *words)
            step.result = f"{report['verdict']}: " + self.measured(report)
        return report

    def measured(self, report: dict) -> str:
        metrics = {each["name"]: each["value"] for each in (report.get("quality") or {}).get("metrics", [])}
        worst = report["features"][0] if report["features"] else None
        parts = [f"AUC {metrics['auc']:.3f}, log loss {metrics['log_loss']:.3f}" if "auc" in metrics else "no labels"]
        if worst and worst.get("psi") is not None:
            parts.append(f"worst feature {worst['name']} {worst['psi']:.2f}")
        return "; ".join(parts)

    def _retrain(self, month: int, report: dict) -> None:
        """What the crossing started: a refresh, an execution, a request. The gates decide, people approve."""
        name = month_name(month)
        retraining = self.retraining_of(report)
        if retraining is None:
            self.stage.note(f"{name}: no threshold was crossed, nothing is retrained.")
            return
        with self.stage.step(f"{name}: refresh stage, retrain there, request") as step:
            def look() -> dict | None:
                now = self.retraining_of(report)
                step.say(now["state"] + (f": {now['message']}" if now.get("message") else ""))
                return now if now["state"] in ("requested", "failed") else None

            retraining = self._wait("the retraining", look, 300)
            if retraining["state"] == "failed":
                raise Refused("retraining", 1, retraining.get("message") or "failed")
            release = retraining["release"]
            step.result = f"release {release[:12]}, promotion {retraining['promotion']}"
        if self.promote(release, "stage", drip=None)["state"] == "blocked":
            return
        self.promote(release, "prod", drip=month)
        self._roll_back_once(release, month)

    def retraining_of(self, report: dict) -> dict | None:
        return next((each for each in self.people.margaret.items(f"/api/v1/prod/drift/{SLOT}/retrainings") if each["report"] == report["id"]), None)

    def _roll_back_once(self, release: str, month: int) -> None:
        """The way back, tried when there is one for the first time; then the same release takes the whole way again."""
        rolled_back = [each for each in self.people.grace.items("/api/v1/prod/promotions", project=PROJECT, slot=SLOT) if each["state"] == "rolledBack"]
        if not rolled_back:
            with self.stage.step("prod: edsger rolls back, to see the way back work") as step:
                generation = self.slot("prod")["generation"]
                began = time.monotonic()
                self.people.edsger.run("rollback", f"prod/{SLOT}", "--reason", "a drill: the fallback must be able to answer")
                took = time.monotonic() - began
                slot = self.slot("prod")
                if slot["generation"] != generation + 1 or slot["current"] == release:
                    raise Refused("rollback", 1, "the slot still holds the release")
                self.endpoint("prod").ask(traffic.body(traffic.first(self.data / f"requests/2013-{month:02}.parquet", 1)))
                step.result = f"{took * 1000:.0f} ms; the release is quarantined, the slot on hold"
        if self.slot("prod")["current"] == release:
            return
        with self.stage.step("prod: barbara lifts quarantine and hold") as step:
            if self.people.barbara.get(f"/api/v1/prod/releases/{release}").get("quarantine"):
                self.people.barbara.run("release", "lift", f"prod/{release}", "--reason", "it was a drill")
            if self.slot("prod").get("hold"):
                self.people.barbara.run("slot", "lift", f"prod/{SLOT}", "--reason", "the drill is over")
        self.promote(release, "prod", drip=month)

    # 8

    def look_back(self) -> None:
        self.stage.chapter("8", "What answered then, who let it in, on which data?")
        chapters = self.people.barbara.get(f"/api/v1/prod/slots/{SLOT}/history")["items"]
        then = chapters[0]["from"]
        with self.stage.step(f"slipway slot history prod/{SLOT} --at {then}") as step:
            answer = self.people.barbara.run("slot", "history", f"prod/{SLOT}", "--at", then)
            step.result = f"1 of {len(chapters)} chapters"
        self.stage.note(answer)

    def months_table(self) -> str:
        rows = []
        for report in sorted(self.reports(), key=lambda each: each["from"]):
            metrics = {each["name"]: each["value"] for each in (report.get("quality") or {}).get("metrics", [])}
            base = {each["name"]: each["value"] for each in (report.get("quality") or {}).get("baseline", [])}
            worst = report["features"][0] if report["features"] else {}
            rows.append([
                month_name(moment(report["from"]).month), f"{report['rows']:,}", (report.get("release") or "")[:12], number(metrics.get("auc")), number(base.get("auc")),
                number(metrics.get("log_loss")), f"{worst.get('name', '')} {worst.get('psi') or 0:.2f}", report["verdict"],
                (self.retraining_of(report) or {}).get("state", ""),
            ])
        return show.table(["month", "flights", "release", "AUC", "in training", "log loss", "worst feature", "verdict", "retraining"], rows)

    # helpers

    def _wait(self, what: str, look, patience: float):
        end = time.monotonic() + patience
        pause = 0.02
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > end:
                raise Refused("waiting", 7, f"{what} did not come within {patience:.0f} s; the server's log is {self.server.log}")
            time.sleep(pause)
            pause = min(0.25, pause * 1.5)


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def seconds_between(first: str | None, last: str | None) -> float:
    return (moment(last) - moment(first)).total_seconds() if first and last else 0.0


def month_name(month: int) -> str:
    return datetime.date(2013, month, 1).strftime("%B")


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
