"""Step 3: measure the candidate, and what answers today, on the same rows. A promotion runs this step again where it leads to."""

import os

import mlflow
import numpy
from sklearn.metrics import log_loss, roc_auc_score

import columns

_, rows = columns.split(columns.read(columns.folder("INPUT", "examples")))


def predict(uri: str) -> numpy.ndarray:
    return numpy.asarray(mlflow.pyfunc.load_model(uri).predict(rows[columns.FEATURES]))[:, 1]


measured = {}
for prefix, variable in [("", "SLIPWAY_MODEL_URI"), ("champion.", "SLIPWAY_CHAMPION_URI")]:
    if uri := os.environ.get(variable):
        predicted = predict(uri)
        measured[f"{prefix}auc"] = float(roc_auc_score(rows[columns.TARGET], predicted))
        measured[f"{prefix}log_loss"] = float(log_loss(rows[columns.TARGET], predicted))
with mlflow.start_run():
    mlflow.log_metrics(measured)
print(measured)
