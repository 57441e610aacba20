"""Step 2: train, and log what came out with the plain MLflow client."""

import io
import logging
import os
import pathlib
import tempfile
import time

import matplotlib
import mlflow
import mlflow.sklearn
import numpy
import pandas
from matplotlib.figure import Figure
from mlflow.entities import Metric
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score, roc_curve
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

import flights

matplotlib.use("Agg")
PARAMETERS = {"max_iter": 80, "learning_rate": 0.06, "max_leaf_nodes": 15, "l2_regularization": 1.0, "random_state": 7}


def fit(training: pandas.DataFrame, validation: pandas.DataFrame) -> Pipeline:
    names = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    columns = ColumnTransformer([("names", names, flights.NAMES), ("numbers", "passthrough", flights.NUMBERS)])
    # The validation rows draw the curve; with as much patience as iterations they stop nothing.
    trees = HistGradientBoostingClassifier(
        categorical_features=list(range(len(flights.NAMES))), early_stopping=True, n_iter_no_change=PARAMETERS["max_iter"], **PARAMETERS)
    trees.fit(columns.fit_transform(training), training.late, X_val=columns.transform(validation), y_val=validation.late)
    return Pipeline([("columns", columns), ("trees", trees)])


def log_curves(run: str, curves: dict[str, numpy.ndarray]) -> None:
    """Log loss after each iteration; scikit-learn keeps it as a score, that is, negated."""
    now = int(time.time() * 1000)
    points = [Metric(name, -float(value), now, step) for name, values in curves.items() for step, value in enumerate(values)]
    mlflow.MlflowClient().log_batch(run, metrics=points)


def signature(example: pandas.DataFrame, predicted: numpy.ndarray) -> ModelSignature:
    """Written down, not inferred: whether a month happens to lack a reading must not change what callers may leave out."""
    numbers = [ColSpec("double", name, required=False) for name in flights.NUMBERS]
    names = [ColSpec("string", name) for name in flights.NAMES]
    return ModelSignature(inputs=Schema(numbers + names), outputs=infer_signature(example, predicted).outputs)


def roc_picture(truth: pandas.Series, predicted: pandas.Series, auc: float) -> Figure:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    false_rate, true_rate, _ = roc_curve(truth, predicted)
    axes.plot(false_rate, true_rate, label=f"validation, AUC {auc:.3f}")
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey", label="chance")
    axes.set(xlabel="false alarms among punctual flights", ylabel="late flights found", title="ROC")
    axes.legend(loc="lower right")
    return figure


def main() -> None:
    features = flights.folder("INPUT", "features")
    training = pandas.read_parquet(features / "training.parquet")
    validation = pandas.read_parquet(features / "validation.parquet")
    with mlflow.start_run() as run:
        mlflow.log_params(PARAMETERS | {"features": len(flights.FEATURES), "training_rows": len(training), "validation_rows": len(validation)})
        model = fit(training, validation)
        predicted = pandas.Series(model.predict_proba(validation[flights.FEATURES])[:, 1], index=validation.index)
        auc = float(roc_auc_score(validation.late, predicted))
        log_curves(run.info.run_id, {"training_loss": model["trees"].train_score_, "validation_loss": model["trees"].validation_score_})
        mlflow.log_metrics({"auc": auc, "log_loss": float(log_loss(validation.late, predicted))})
        mlflow.log_figure(roc_picture(validation.late, predicted, auc), "roc.png")
        # What the model saw and said on rows that it was not trained on: drift is measured against this.
        with tempfile.TemporaryDirectory() as scratch:
            baseline = pathlib.Path(scratch) / "baseline.parquet"
            validation[flights.FEATURES].assign(prediction=predicted, label=validation.late).to_parquet(baseline, index=False)
            mlflow.log_artifact(str(baseline), "monitoring")
        example = validation[flights.FEATURES].head(3)
        logged = mlflow.sklearn.log_model(
            model, name="model", serialization_format="pickle", pyfunc_predict_fn="predict_proba", input_example=example,
            signature=signature(example, model.predict_proba(example)), pip_requirements=str(pathlib.Path(__file__).parent / "requirements.in"))
        print(f"AUC {auc:.4f} on {len(validation):,} flights; model {logged.model_uri}")


if __name__ == "__main__":
    main()
