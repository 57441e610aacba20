"""Step 2: train, and log what came out with the plain MLflow client."""

import pathlib

import mlflow
import mlflow.sklearn
import pandas
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

import columns

PARAMETERS = {"max_iter": 60, "learning_rate": 0.08, "random_state": 7}

features = columns.folder("INPUT", "features")
training, validation = (pandas.read_parquet(features / f"{name}.parquet") for name in ("training", "validation"))

with mlflow.start_run():
    mlflow.log_params(PARAMETERS)
    names = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    model = Pipeline([
        ("columns", ColumnTransformer([("names", names, columns.NAMES)], remainder="passthrough")),
        ("trees", HistGradientBoostingClassifier(**PARAMETERS)),
    ]).fit(training[columns.FEATURES], training[columns.TARGET])
    predicted = model.predict_proba(validation[columns.FEATURES])[:, 1]
    mlflow.log_metrics({
        "auc": roc_auc_score(validation[columns.TARGET], predicted),
        "log_loss": log_loss(validation[columns.TARGET], predicted),
    })
    example = validation[columns.FEATURES].head(3)
    mlflow.sklearn.log_model(
        model, name="model", serialization_format="pickle", pyfunc_predict_fn="predict_proba", input_example=example,
        signature=infer_signature(example, model.predict_proba(example)),
        pip_requirements=str(pathlib.Path(__file__).parent / "requirements.in"))
