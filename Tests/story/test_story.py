"""Each numbered step of the story, as issue and README tell it. The numbers are those of the demo's chapters."""

import io
import json
import math
import pathlib

import pandas
import pytest
import requests

from story import traffic
from story.doors import Refused
from story.people import CAST, PROJECT
from story.story import BRANCH, DATASET, MODEL, SLOT, moment


# 1 People


def test_first_start_makes_a_secret_that_works_once(played):
    story = played.upto(1)
    assert not (story.server.data / "first-start-secret").exists(), "the secret's file goes away with the secret"
    with pytest.raises(Refused) as refused:
        story.people.radia.run("bootstrap", "--file", "-", "--secret", "guessed", typed=story.people.bootstrap_file())
    assert refused.value.code in (3, 5)


def test_everybody_holds_their_roles_and_no_more(played):
    story = played.upto(1)
    for name, (_, _, roles) in CAST.items():
        held = story.people[name].ask("whoami")["roles"]
        assert {(each["environment"], each["role"]) for each in held} == {(place, role) for place, all in roles.items() for role in all}


def test_demo_policy_is_visible(played):
    story = played.upto(1)
    for environment in ("stage", "prod"):
        policy = story.people.barbara.ask("policy", "show", environment, "--project", PROJECT)
        assert policy["name"] == "demo" and policy["version"] >= 1


def test_passwords_lie_in_a_file_for_its_owner_only(played):
    story = played.upto(1)
    assert story.people.file.stat().st_mode & 0o777 == 0o600


def test_sign_in_page_and_wrong_password(played):
    story = played.upto(1)
    page = requests.get(story.server.address + "/sign-in", timeout=10)
    assert page.status_code == 200 and "<form" in page.text
    with pytest.raises(Refused) as refused:
        story.people.ada.run("login", "--user", "ada", "--password-stdin", typed="wrong\n")
    assert refused.value.code == 3


def test_nobody_in_particular_is_refused(played):
    story = played.upto(1)
    for path in ("/api/v1/me", "/api/v1/prod/slots", "/stage/api/2.0/mlflow/experiments/search", f"/git/{PROJECT}.git/info/refs?service=git-upload-pack"):
        assert requests.get(story.server.address + path, timeout=10).status_code == 401, path


# 2 Data


def test_prod_snapshot_is_whole_and_checked(played):
    story = played.upto(2)
    snapshot = story.people.margaret.ask("data", "show", f"prod/{DATASET}@2013-03", "--project", PROJECT)
    sent = pandas.concat(pandas.read_parquet(file) for file in sorted((story.data / "snapshots/2013-03").iterdir()))
    assert snapshot["tables"][0]["rows"] == len(sent)
    assert snapshot["verdict"] in ("passed", "warned") and len(snapshot["checks"]) > 5


def test_stage_is_masked_so_that_joins_survive(played, tmp_path):
    story = played.upto(2)
    sent = materialised(story, "prod", tmp_path / "prod")
    masked = materialised(story, "stage", tmp_path / "stage")
    assert len(sent) == len(masked)
    both = sent.merge(masked, on="flight_id", suffixes=("", "_masked"))
    known = both[both.tailnum.notna()]
    assert not (known.tailnum == known.tailnum_masked).any(), "no tail number reaches stage"
    assert known.groupby("tailnum").tailnum_masked.nunique().max() == 1 and known.groupby("tailnum_masked").tailnum.nunique().max() == 1
    assert both.tailnum_masked[both.tailnum.isna()].isna().all(), "what is missing stays missing"
    assert (both.distance == both.distance_masked).all()


def test_dev_is_a_sample_that_expires(played, tmp_path):
    story = played.upto(2)
    newest = story.people.margaret.items(f"/api/v1/dev/data/{DATASET}/snapshots", project=PROJECT)[0]
    assert newest["expires_at"], "dev's data is temporary"
    assert newest["lineage"]["environment"] == "stage"
    share = newest["tables"][0]["rows"] / story.people.margaret.items(f"/api/v1/stage/data/{DATASET}/snapshots", project=PROJECT)[-1]["tables"][0]["rows"]
    assert 0.03 < share < 0.07


def test_data_never_moves_upward(played):
    story = played.upto(2)
    with pytest.raises(Refused):
        story.people.margaret.run("data", "refresh", f"prod/{DATASET}", "--project", PROJECT)


def materialised(story, environment: str, folder: pathlib.Path) -> pandas.DataFrame:
    oldest = story.people.margaret.items(f"/api/v1/{environment}/data/{DATASET}/snapshots", project=PROJECT)[-1]
    reader = story.people.grace if environment == "stage" else story.people.margaret
    reader.run("data", "materialise", f"{environment}/{DATASET}@{oldest['id']}", folder, "--project", PROJECT)
    return pandas.concat(pandas.read_parquet(file) for file in sorted(folder.rglob("*.parquet")))


# 3 Code


def test_branch_ran_in_dev_and_main_in_stage(played):
    story = played.upto(3)
    branches = story.branches(story.people.ada)
    dev, stage = (story.people.grace.items(f"/api/v1/{place}/executions", project=PROJECT) for place in ("dev", "stage"))
    assert any(each["commit"] == branches[BRANCH] and each["state"] == "succeeded" for each in dev)
    sealed = [each for each in stage if each["commit"] == branches["main"] and each["trigger"] == "push"]
    assert len(sealed) == 1 and sealed[0]["release"], "one push to main, one release"


def test_log_of_a_step_is_kept(played):
    story = played.upto(3)
    execution = story.oldest_execution("stage")
    log = story.people.grace.run("execution", "logs", execution["id"], "--environment", "stage", "--step", "train")
    assert "AUC" in log and "prepare" not in log.splitlines()[0]


def test_push_without_rights_is_refused_with_a_sentence(played, tmp_path):
    story = played.upto(3)
    margaret = story.people.margaret
    margaret.git("clone", "--quiet", story.repository, tmp_path / "clone")
    (tmp_path / "clone/note.txt").write_text("a steward may not push\n")
    margaret.git("add", "note.txt", cwd=tmp_path / "clone")
    margaret.git("commit", "--quiet", "--message", "Try", cwd=tmp_path / "clone")
    with pytest.raises(Refused) as refused:
        margaret.git("push", "origin", "HEAD:refs/heads/try", cwd=tmp_path / "clone")
    assert "margaret" in refused.value.message or "may not" in refused.value.message or "role" in refused.value.message
    assert "try" not in story.branches(margaret)


# 4 The run


def test_run_has_parameters_metrics_commit_snapshot_picture_and_model(played):
    story = played.upto(4)
    execution = story.oldest_execution("stage")
    run = story.run_facts("stage", execution["run_id"])
    assert run["params"]["max_iter"] == "80"
    assert 0.6 < run["metrics"]["auc"] < 0.85 and run["metrics"]["log_loss"] > 0.3
    assert run["tags"]["mlflow.source.git.commit"] == execution["commit"]
    assert run["tags"][f"slipway.snapshot.{DATASET}"] == execution["snapshots"][DATASET]
    history = story.people.ada.get("/stage/api/2.0/mlflow/metrics/get-history", run_id=execution["run_id"], metric_key="validation_loss")["metrics"]
    assert len(history) == 81 and history[-1]["value"] < history[0]["value"]
    names = {each["path"] for each in story.people.ada.get("/stage/api/2.0/mlflow/artifacts/list", run_id=execution["run_id"])["files"]}
    assert "roc.png" in names and "monitoring" in names


def test_plain_mlflow_client_loads_the_registered_model(played, monkeypatch, tmp_path):
    story = played.upto(4)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", story.people.grace.token)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    mlflow.set_tracking_uri(story.server.address + "/stage")
    version = mlflow.MlflowClient().search_model_versions(f"name='{MODEL}'")[0]
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version.version}")
    rows = traffic.first(story.data / "requests/2013-03.parquet", 20)
    answer = model.predict(rows)
    assert answer.shape == (20, 2) and ((answer >= 0) & (answer <= 1)).all()
    assert model.metadata.signature.inputs.input_names()[0] == "hour"


# 5 Stage


def test_gates_ran_for_real_on_stage_data(played):
    story = played.upto(5)
    promotion = promoted(story, "stage")
    evidence = {each["gate"]: each for each in promotion["evidence"]}
    assert {"metrics", "contract", "traceable", "scan"} <= set(evidence)
    assert all(each["outcome"] == "pass" for each in evidence.values() if each["mode"] == "enforce")
    newest = story.people.margaret.items(f"/api/v1/stage/data/{DATASET}/snapshots", project=PROJECT)
    assert evidence["metrics"]["snapshots"][DATASET] in {each["id"] for each in newest}
    evaluations = [each for each in story.people.grace.items("/api/v1/stage/executions", project=PROJECT) if each["trigger"] == "evaluation"]
    assert evaluations, "metrics are measured again, not believed"


def test_stage_took_one_approval_and_answers(played):
    story = played.upto(5)
    promotion = promoted(story, "stage")
    assert [each["user"] for each in promotion["approvals"]] == ["barbara"]
    rows = traffic.first(story.data / "requests/2013-04.parquet", 50)
    answers = story.endpoint("stage").ask(traffic.body(rows))
    assert len(answers) == 50 and all(0 <= each <= 1 for each in answers) and len(set(answers)) > 10


# 6 Prod


def test_prod_took_two_approvals_by_two_people_not_the_author(played):
    story = played.upto(6)
    promotion = promoted(story, "prod")
    assert sorted(each["user"] for each in promotion["approvals"]) == ["barbara", "edsger"]
    assert not {"ada", "grace"} & {each["user"] for each in promotion["approvals"]}


def test_author_with_the_reviewer_role_is_refused_because_of_authorship(played):
    story = played.upto(5)
    promotion = story.people.grace.ask("promotion", "request", story.first_release(), "--to", "prod") if not promotions(story, "prod") else promotions(story, "prod")[-1]
    waiting = story._wait("the gates", lambda: (lambda now: now if now["state"] not in ("draft", "checking") else None)(story.promotion("prod", promotion["id"])), 120)
    if waiting["state"] == "awaitingApproval":
        with pytest.raises(Refused) as refused:
            story.people.ada.run("promotion", "approve", f"prod/{promotion['id']}")
        assert refused.value.code == 3 and "author" in refused.value.message.lower()
    assert "ada" not in {each["user"] for each in story.promotion("prod", promotion["id"])["approvals"]}
    assert story.people.ada.email in waiting["change"]["authors"]


def test_prod_answers_curl(played):
    story = played.upto(6)
    import subprocess
    flight = traffic.example(story.data / "requests/2013-04.parquet")
    done = subprocess.run(
        ["curl", "--silent", "--fail", "--header", f"Authorization: Bearer {story.people.edsger.token}", "--json", json.dumps({"dataframe_records": [flight]}),
         f"{story.server.address}/prod/endpoints/{SLOT}/invocations"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert 0 <= json.loads(done.stdout)["predictions"][0] <= 1


def test_open_inference_protocol_says_the_same(played):
    story = played.upto(6)
    rows = traffic.first(story.data / "requests/2013-04.parquet", 3)
    expected = story.endpoint("prod").ask(traffic.body(rows))
    columns = json.loads(rows.to_json(orient="split", date_format="iso"))
    inputs = [
        {"name": name, "shape": [3], "datatype": "BYTES" if rows[name].dtype == object or str(rows[name].dtype) in ("str", "string") else "FP64",
         "data": [row[index] for row in columns["data"]]}
        for index, name in enumerate(columns["columns"]) if not name.startswith("scheduled_") or name == "scheduled_minutes"
    ]
    answer = story.people.edsger.post(f"/prod/v2/models/{SLOT}/infer", {"inputs": inputs})
    assert answer["outputs"][0]["data"] == pytest.approx(expected, abs=1e-9)


def test_canary_steps_each_had_their_answered_requests(played):
    story = played.upto(7)
    later = [each for each in promotions(story, "prod") if each["plan"].get("current")]
    assert later, "a second release went to prod"
    for promotion in later:
        assert [each["weight"] for each in promotion["plan"]["steps"]] == [5, 25, 100]
        assert all(each["min_requests"] > 0 for each in promotion["plan"]["steps"])


def test_rollback_gave_the_slot_back_to_the_fallback(played):
    story = played.upto(7)
    chapters = story.people.barbara.get(f"/api/v1/prod/slots/{SLOT}/history")["items"]
    back = [index for index, each in enumerate(chapters) if each["cause"] == "rollback"]
    assert len(back) == 1
    assert chapters[back[0]]["release"] == chapters[back[0] - 2]["release"], "what served before serves again"
    rolled = [each for each in promotions(story, "prod") if each["state"] == "rolledBack"]
    assert len(rolled) == 1


def promotions(story, environment: str) -> list[dict]:
    return story.people.grace.items(f"/api/v1/{environment}/promotions", project=PROJECT, slot=SLOT)


def promoted(story, environment: str) -> dict:
    """The first release's promotion, with evidence."""
    return story.promotion(environment, story.promotions(environment, story.first_release())[-1]["id"])


# 7 Months


def test_every_month_has_a_report_with_its_labels(played):
    story = played.upto(7)
    for month in story.plan.months:
        report = story.report(month)
        assert report and report["quality"]["coverage"] > 0.9
        assert report["rows"] >= traffic.rows(story.data / f"requests/2013-{month:02}.parquet")


def test_report_agrees_with_scikit_learn(played):
    """AUC and log loss of April, from the captured answers and labels, computed without Slipway."""
    from sklearn.metrics import log_loss, roc_auc_score
    story = played.upto(7)
    month = story.plan.months[0]
    report = story.report(month)
    flights = pandas.read_parquet(story.data / f"requests/2013-{month:02}.parquet")
    predicted = []
    model = loaded(story, report["release"])
    predicted = model.predict(flights)[:, 1]
    labels = pandas.read_csv(story.data / f"labels/2013-{month:02}.csv").set_index("flight_id").label
    known = flights.flight_id.isin(labels.index)
    truth = labels.loc[flights.flight_id[known]].to_numpy()
    measured = {each["name"]: each["value"] for each in report["quality"]["metrics"]}
    assert measured["auc"] == pytest.approx(roc_auc_score(truth, predicted[known]), abs=2e-3)
    assert measured["log_loss"] == pytest.approx(log_loss(truth, predicted[known]), abs=2e-3)


def test_gate_verdicts_recomputed_with_scikit_learn(played):
    """For each retrained release: candidate against champion on the same rows, as the condition of slipway.yaml says it."""
    from sklearn.metrics import roc_auc_score
    import flights
    story = played.upto(7)
    verdicts = []
    for promotion in promotions(story, "stage"):
        current = promotion["plan"].get("current")
        if not current:
            continue
        promotion = story.promotion("stage", promotion["id"])
        evidence = {each["gate"]: each for each in promotion["evidence"]}
        snapshot = evidence["baseline"]["snapshots"][DATASET]
        folder = story.work / f"check-{snapshot}"
        if not folder.exists():
            story.people.grace.run("data", "materialise", f"stage/{DATASET}@{snapshot}", folder, "--project", PROJECT)
        _, rows = flights.split(flights.read(folder))
        candidate, champion = (
            roc_auc_score(rows.late, loaded(story, release, "stage").predict(rows[flights.FEATURES])[:, 1]) for release in (promotion["release"], current))
        passes = champion - candidate <= 0.01
        assert (evidence["baseline"]["outcome"] == "pass") == passes, f"candidate {candidate:.4f}, champion {champion:.4f}: {evidence['baseline']['summary']}"
        assert (promotion["state"] == "blocked") == (not all(each["outcome"] == "pass" for each in promotion["evidence"] if each["mode"] == "enforce"))
        verdicts.append(passes)
    assert True in verdicts and False in verdicts, f"retraining helps in summer and hurts in autumn; the gates said {verdicts}"


def loaded(story, release: str, environment: str = "prod"):
    """A release's model by the plain MLflow client."""
    import mlflow
    import os
    os.environ["MLFLOW_TRACKING_TOKEN"] = story.people.grace.token
    mlflow.set_tracking_uri(f"{story.server.address}/{environment}")
    found = story.people.grace.get(f"/api/v1/{environment}/releases/{release}")
    return mlflow.pyfunc.load_model(f"models:/{found['model']}/{found['model_version']}")


def test_crossing_started_a_retraining_that_asked_for_promotion(played):
    story = played.upto(7)
    for month in (6, 10):
        retraining = story.retraining_of(story.report(month))
        assert retraining["state"] == "requested" and retraining["promotion"]


# 8 History


def test_history_answers_what_served_then(played):
    story = played.upto(8)
    first = story.people.barbara.get(f"/api/v1/prod/slots/{SLOT}/history")["items"][0]
    [then] = story.people.barbara.ask("slot", "history", f"prod/{SLOT}", "--at", first["from"])["items"]
    assert then["release"] == story.first_release()
    assert sorted(each.removeprefix("user:") for each in then["approved_by"]) == ["barbara", "edsger"]
    assert then["checked_on"][DATASET] and then["trained_on"][DATASET]
    before = story.people.barbara.ask("slot", "history", f"prod/{SLOT}", "--at", "2001-01-01T00:00:00Z")["items"]
    assert before == []


def test_chain_of_audit_events_holds(played):
    story = played.upto(8)
    for environment in ("stage", "prod"):
        verdict = story.people.barbara.ask("audit", "verify", environment)
        assert verdict["verified"] > 10 and verdict.get("broken") is None


def test_story_resumes_from_what_the_server_says(played):
    """Played again, it changes nothing."""
    story = played.upto(8)
    before = [(each["id"], each["state"]) for place in ("stage", "prod") for each in promotions(story, place)]
    story.play()
    assert before == [(each["id"], each["state"]) for place in ("stage", "prod") for each in promotions(story, place)]


# Pages


@pytest.mark.parametrize("path, words", [
    ("/", "flight-delay"),
    ("/stage/runs", "auc"),
    ("/stage/promotions", "blocked"),
    (f"/prod/endpoints/{SLOT}", SLOT),
    (f"/prod/slots/{SLOT}/history", "rollback"),
    (f"/prod/data/{DATASET}?project={PROJECT}", "2013-03"),
    ("/prod/audit", "promotion"),
])
def test_pages_show_the_story_and_ask_nobody_else(played, path, words):
    story = played.upto(8)
    page = requests.get(story.server.address + path, cookies={"slipway_session": story.people.barbara.token}, headers={"Accept": "text/html"}, timeout=30)
    assert page.status_code == 200, page.text[:300]
    assert words.lower() in page.text.lower()
    assert "default-src 'self'" in page.headers["Content-Security-Policy"] or "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http://" not in page.text.replace(story.server.address, "").replace("http://www.w3.org", "").replace("http://127.0.0.1", "")


def test_pages_ask_strangers_to_sign_in(played):
    story = played.upto(1)
    page = requests.get(story.server.address + "/", headers={"Accept": "text/html"}, allow_redirects=False, timeout=10)
    assert page.status_code == 303 and page.headers["Location"].startswith("/sign-in")
