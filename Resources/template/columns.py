"""What the steps share. Change this first."""

import os
import pathlib

import pandas

FEATURES = ["amount", "visits", "age_days", "channel"]
NAMES = ["channel"]
TARGET = "target"
TIME = "happened_at"


def folder(kind: str, name: str) -> pathlib.Path:
    """The folder of an input or output, as Slipway (or whoever runs the script by hand) names it."""
    return pathlib.Path(os.environ[f"SLIPWAY_{kind}_{name.upper()}"])


def read(path: pathlib.Path) -> pandas.DataFrame:
    rows = pandas.concat([pandas.read_parquet(file) for file in sorted(path.rglob("*.parquet"))], ignore_index=True)
    return rows.sort_values(TIME, kind="stable", ignore_index=True)


def split(rows: pandas.DataFrame) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """The oldest four fifths train, the newest fifth validates: a random split would let the model see the future."""
    cut = int(len(rows) * 0.8)
    return rows[:cut], rows[cut:]
