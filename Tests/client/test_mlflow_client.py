"""The unmodified MLflow client against Slipway: what a data scientist does, and what they see when it goes wrong."""
import math
import os
import uuid

import numpy
import pandas
import pytest
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression


def fresh(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def experiment(mlflow_dev):
    name = fresh("experiment")
    mlflow_dev.set_experiment(name)
    return name


@pytest.fixture
def client(mlflow_dev):
    return mlflow_dev.MlflowClient()


def trained():
    numbers = numpy.random.default_rng(7)
    frame = pandas.DataFrame({"distance": numbers.normal(size=200), "hour": numbers.normal(size=200)})
    return LogisticRegression().fit(frame, (frame.distance + frame.hour > 0).astype(int)), frame


def test_a_run_keeps_what_it_logged(mlflow_dev, client, experiment):
    with mlflow_dev.start_run(run_name="first", tags={"team": "ops"}) as run:
        mlflow_dev.log_param("rate", 0.1)
        mlflow_dev.log_params({"depth": 3, "kind": "tree"})
        for step in range(5):
            mlflow_dev.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow_dev.log_metrics({"auc": 0.75, "broken": float("nan"), "endless": float("inf")})
        mlflow_dev.set_tag("note", "späte Flüge ✈")
    found = client.get_run(run.info.run_id)
    assert found.info.status == "FINISHED" and found.info.run_name == "first" and found.info.end_time >= found.info.start_time > 0
    assert found.data.params == {"rate": "0.1", "depth": "3", "kind": "tree"}
    assert found.data.metrics["loss"] == 0.2 and found.data.metrics["auc"] == 0.75
    assert math.isnan(found.data.metrics["broken"]) and found.data.metrics["endless"] == 1.7976931348623157e308
    assert found.data.tags["team"] == "ops" and found.data.tags["note"] == "späte Flüge ✈" and found.data.tags["mlflow.runName"] == "first"
    assert [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, "loss")] == [(s, 1.0 / (s + 1)) for s in range(5)]
    assert client.get_metric_history(run.info.run_id, "unknown") == []


def test_the_default_experiment_is_there_in_dev(mlflow_dev, client):
    assert client.get_experiment("0").name == "Default"
    run = client.create_run("0")
    assert run.info.run_name and client.get_run(run.info.run_id).info.experiment_id == "0"


def test_batches_are_all_or_nothing(mlflow_dev, client, experiment):
    run = mlflow_dev.start_run().info.run_id
    client.log_batch(run, metrics=[Metric("m", float(i), i, i) for i in range(1000)])
    client.log_batch(run, params=[Param(f"p{i}", str(i)) for i in range(100)], tags=[RunTag(f"t{i}", str(i)) for i in range(100)])
    assert len(client.get_metric_history(run, "m")) == 1000
    with pytest.raises(MlflowException, match="Changing param values is not allowed"):
        client.log_batch(run, metrics=[Metric("other", 1.0, 1, 1)], params=[Param("p1", "changed")])
    data = client.get_run(run).data
    assert len(data.params) == 100 and data.params["p1"] == "1" and "other" not in data.metrics


def test_runs_are_found_by_filter_and_order(mlflow_dev, experiment):
    for index, auc in enumerate([0.6, 0.9, float("nan"), 0.7]):
        with mlflow_dev.start_run(run_name=f"run {index}", tags={"family": "a" if index % 2 else "b"}):
            mlflow_dev.log_metric("val.auc", auc)
            mlflow_dev.log_param("model", f"Tree{index}")
    with mlflow_dev.start_run(run_name="without"):
        mlflow_dev.set_tag("family", "c")

    def names(filter_string="", order_by=None):
        found = mlflow_dev.search_runs(experiment_names=[experiment], filter_string=filter_string, order_by=order_by, output_format="list")
        return [run.info.run_name for run in found]

    assert names("metrics.`val.auc` > 0.65", ["metrics.`val.auc` DESC"]) == ["run 1", "run 3"]
    assert names("", ["metrics.`val.auc` ASC"]) == ["run 0", "run 3", "run 1", "run 2", "without"]
    assert names("", ["metrics.`val.auc` DESC"]) == ["run 1", "run 3", "run 0", "run 2", "without"]
    assert set(names("tags.family = 'a'")) == {"run 1", "run 3"}
    assert names("tags.family != 'a' and params.model LIKE 'Tree0'") == ["run 0"]
    assert names("params.model LIKE 'tree%'") == [] and len(names("params.model ILIKE 'tree%'")) == 4
    assert names("attributes.run_name = 'without' AND status = 'FINISHED'") == ["without"]
    assert len(names("attributes.start_time > 0")) == 5
    with pytest.raises(MlflowException, match="Invalid clause"):
        names("metrics.auc > 0.5, metrics.auc < 0.1")
    frame = mlflow_dev.search_runs(experiment_names=[experiment], max_results=2)
    assert len(frame) == 2 and "params.model" in frame.columns


def test_pages_of_runs_are_complete(mlflow_dev, client, experiment):
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    made = {client.create_run(experiment_id).info.run_id for _ in range(25)}
    seen, token = [], None
    while True:
        page = client.search_runs([experiment_id], max_results=7, page_token=token)
        seen += [run.info.run_id for run in page]
        token = page.token
        if not token:
            break
    assert len(seen) == 25 and set(seen) == made


def test_artifacts_travel_both_ways(mlflow_dev, client, experiment, tmp_path):
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(5 << 20))
    with mlflow_dev.start_run() as run:
        mlflow_dev.log_text("hello", "notes/hello world ✈.txt")
        mlflow_dev.log_dict({"a": 1}, "config.json")
        mlflow_dev.log_artifact(str(big), "data")
        mlflow_dev.log_text("", "empty.txt")
    listed = {(file.path, file.is_dir, file.file_size) for file in client.list_artifacts(run.info.run_id)}
    assert listed == {("notes", True, None), ("config.json", False, 12), ("data", True, None), ("empty.txt", False, 0)}
    folder = client.download_artifacts(run.info.run_id, "", str(tmp_path))
    assert open(f"{folder}/notes/hello world ✈.txt", encoding="utf-8").read() == "hello"
    assert open(f"{folder}/data/big.bin", "rb").read() == big.read_bytes()
    assert mlflow_dev.artifacts.load_text(run.info.artifact_uri + "/notes/hello world ✈.txt") == "hello"


def test_a_model_goes_from_training_to_prediction(mlflow_dev, client, experiment):
    model, frame = trained()
    name = fresh("late-flights")
    with mlflow_dev.start_run() as run:
        mlflow_dev.log_metric("auc", 0.9)
        info = mlflow_dev.sklearn.log_model(model, name="model", input_example=frame.head(2), serialization_format="cloudpickle")
    assert client.get_logged_model(info.model_id).status.value == "READY"
    assert client.get_logged_model(info.model_id).metrics is not None
    version = mlflow_dev.register_model(info.model_uri, name)
    assert version.version == "1" and version.run_id == run.info.run_id
    again = mlflow_dev.register_model(f"runs:/{run.info.run_id}/model", name)
    assert again.version == "2"
    client.set_registered_model_alias(name, "champion", 1)
    expected = model.predict(frame)
    for uri in (f"models:/{name}@champion", f"models:/{name}/1", f"models:/{name}/2", f"models:/{info.model_id}", f"runs:/{run.info.run_id}/model"):
        assert (mlflow_dev.pyfunc.load_model(uri).predict(frame) == expected).all(), uri
    assert (mlflow_dev.sklearn.load_model(f"models:/{name}@champion").predict(frame) == expected).all()
    assert client.get_model_version_by_alias(name, "champion").version == "1"
    client.set_registered_model_alias(name, "champion", 2)
    assert client.get_model_version_by_alias(name, "champion").version == "2"
    found = client.search_model_versions(f"name='{name}'")
    assert [v.version for v in found] == ["2", "1"] and "champion" in found[0].aliases
    assert name in [m.name for m in client.search_registered_models(f"name LIKE '{name[:14]}%'")]
    assert info.model_id in [m.model_id for m in mlflow_dev.search_logged_models(output_format="list", filter_string="metrics.auc > 0.5")]
    with pytest.raises(MlflowException, match="alias nobody not found"):
        client.get_model_version_by_alias(name, "nobody")


def test_a_registered_version_is_frozen(mlflow_dev, client, experiment, server):
    model, frame = trained()
    name = fresh("frozen")
    with mlflow_dev.start_run():
        info = mlflow_dev.sklearn.log_model(model, name="model", serialization_format="cloudpickle")
    mlflow_dev.register_model(info.model_uri, name)
    root = info.artifact_path.removeprefix("mlflow-artifacts:/")
    server.call("PUT", f"/dev/api/2.0/mlflow-artifacts/artifacts/{root}/model.pkl", b"not a model", expect=200)
    assert (mlflow_dev.sklearn.load_model(f"models:/{name}/1").predict(frame) == model.predict(frame)).all()
    address = client.get_model_version_download_uri(name, "1").removeprefix("mlflow-artifacts:/")
    server.call("PUT", f"/dev/api/2.0/mlflow-artifacts/artifacts/{address}/model.pkl", b"not a model", expect=400)


def test_inputs_of_a_run_are_kept(mlflow_dev, client, experiment):
    frame = pandas.DataFrame({"x": [1, 2, 3]})
    with mlflow_dev.start_run() as run:
        mlflow_dev.log_input(mlflow_dev.data.from_pandas(frame, name="flights"), context="training")
    [dataset] = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert dataset.dataset.name == "flights" and dataset.tags[0].value == "training"
    assert len(mlflow_dev.search_runs(experiment_names=[experiment], filter_string="dataset.name = 'flights' AND dataset.context = 'training'")) == 1


def test_autologging_works(mlflow_dev, client, experiment):
    mlflow_dev.sklearn.autolog(log_models=True, silent=True, serialization_format="cloudpickle")
    try:
        with mlflow_dev.start_run() as run:
            trained()
    finally:
        mlflow_dev.sklearn.autolog(disable=True)
    data = client.get_run(run.info.run_id).data
    assert data.params["C"] == "1.0" and "training_score" in data.metrics
    assert client.get_run(run.info.run_id).outputs.model_outputs


def test_the_life_of_runs_and_experiments(mlflow_dev, client):
    name = fresh("life")
    experiment_id = client.create_experiment(name, tags={"a": "b"})
    with pytest.raises(MlflowException) as caught:
        client.create_experiment(name)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"
    run = client.create_run(experiment_id).info.run_id
    client.delete_run(run)
    client.delete_run(run)
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        client.log_metric(run, "m", 1.0)
    assert client.search_runs([experiment_id]) == []
    client.restore_run(run)
    client.delete_experiment(experiment_id)
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    with pytest.raises(MlflowException):
        client.create_run(experiment_id)
    client.restore_experiment(experiment_id)
    assert client.get_run(run).info.lifecycle_stage == "active"
    client.rename_experiment(experiment_id, name + " renamed")
    assert client.get_experiment_by_name(name) is None
    with pytest.raises(MlflowException) as caught:
        client.get_run("0" * 32)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_versions_are_tagged_moved_and_deleted_in_dev(mlflow_dev, client, experiment):
    model, _ = trained()
    name = fresh("versions")
    with mlflow_dev.start_run():
        info = mlflow_dev.sklearn.log_model(model, name="model", serialization_format="cloudpickle")
    for _ in range(3):
        mlflow_dev.register_model(info.model_uri, name, tags={"made": "by test"})
    client.update_model_version(name, "1", description="the first")
    client.set_model_version_tag(name, "1", "checked", "yes")
    version = client.get_model_version(name, "1")
    assert version.description == "the first" and version.tags == {"made": "by test", "checked": "yes"}
    client.transition_model_version_stage(name, "2", "Production")
    client.transition_model_version_stage(name, "3", "production", archive_existing_versions=True)
    assert client.get_model_version(name, "2").current_stage == "Archived"
    assert [v.version for v in client.get_latest_versions(name, ["Production"])] == ["3"]
    client.delete_model_version(name, "3")
    assert mlflow_dev.register_model(info.model_uri, name).version == "4"
    client.rename_registered_model(name, name + "-new")
    assert client.get_registered_model(name + "-new").latest_versions
    client.delete_registered_model(name + "-new")
    with pytest.raises(MlflowException, match="not found"):
        client.get_registered_model(name + "-new")


def test_nobody_gets_in_and_readers_only_read(mlflow_dev, client, experiment, server, reader_token, monkeypatch):
    run = client.create_run(client.get_experiment_by_name(experiment).experiment_id).info.run_id
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    with pytest.raises(MlflowException, match="not authenticated"):
        client.get_run(run)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", reader_token)
    assert client.get_run(run).info.run_id == run
    with pytest.raises(MlflowException) as caught:
        client.log_metric(run, "m", 1.0)
    assert caught.value.error_code == "PERMISSION_DENIED"


def test_environments_are_apart(mlflow_dev, client, experiment, server):
    run = client.create_run(client.get_experiment_by_name(experiment).experiment_id).info.run_id
    stage = mlflow_dev.MlflowClient(tracking_uri=f"{server.url}/stage")
    with pytest.raises(MlflowException, match="not found"):
        stage.get_run(run)
    bare = mlflow_dev.MlflowClient(tracking_uri=server.url)
    assert bare.get_run(run).info.run_id == run
