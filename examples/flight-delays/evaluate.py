"""Step 3: measure the candidate, and what answers today, on the same rows.

A promotion runs this step again in the environment that it leads to, on that environment's newest data.
"""

import os

import mlflow
import numpy
from sklearn.metrics import log_loss, roc_auc_score

import flights


def late(model: mlflow.pyfunc.PyFuncModel, rows) -> numpy.ndarray:
    """Probability of arriving late, through the same door as serving."""
    return numpy.asarray(model.predict(rows[flights.FEATURES]))[:, 1]


def main() -> None:
    _, rows = flights.split(flights.read(flights.folder("INPUT", "flights")))
    measured: dict[str, float] = {"rows": len(rows)}
    candidate = late(mlflow.pyfunc.load_model(os.environ["SLIPWAY_MODEL_URI"]), rows)
    measured["auc"] = roc_auc_score(rows.late, candidate)
    measured["log_loss"] = log_loss(rows.late, candidate)
    for origin, index in rows.groupby("origin").indices.items():
        if rows.late.iloc[index].nunique() == 2:
            measured[f"slice.origin.{origin}.auc"] = roc_auc_score(rows.late.iloc[index], candidate[index])
    if champion_uri := os.environ.get("SLIPWAY_CHAMPION_URI"):
        champion = late(mlflow.pyfunc.load_model(champion_uri), rows)
        measured["champion.auc"] = roc_auc_score(rows.late, champion)
        measured["champion.log_loss"] = log_loss(rows.late, champion)
    with mlflow.start_run():
        mlflow.log_metrics({name: float(value) for name, value in measured.items()})
    for name, value in measured.items():
        print(f"{name:<22} {value:.4f}")


if __name__ == "__main__":
    main()
