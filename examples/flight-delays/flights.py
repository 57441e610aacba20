"""What the three steps share: which columns the model sees, and which rows it is judged on."""

import os
import pathlib

import pandas

#: Measured in numbers, missing values allowed.
NUMBERS = [
    "hour", "weekday", "distance", "scheduled_minutes", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure",
    "visib", "plane_year", "engines", "seats",
]
#: Names. The tail number is not among them: it is masked outside prod, and a model should not learn single aircraft.
NAMES = ["carrier", "origin"]
FEATURES = NUMBERS + NAMES
LATE_MINUTES = 15


def folder(kind: str, name: str) -> pathlib.Path:
    """The folder of an input or output, as Slipway (or whoever runs the script by hand) names it."""
    variable = f"SLIPWAY_{kind}_{name.upper()}"
    if variable not in os.environ:
        raise SystemExit(f"The variable {variable} is not set: it names the folder of {kind.lower()} '{name}'.")
    return pathlib.Path(os.environ[variable])


def read(path: pathlib.Path) -> pandas.DataFrame:
    """All flights of a data snapshot that landed, day by day, with `late` as the target."""
    files = sorted(path.rglob("*.parquet"))
    if not files:
        raise SystemExit(f"There is no Parquet file in {path}.")
    columns = ["flight_id", "flight_date", *FEATURES, "arr_delay"]
    rows = pandas.concat([pandas.read_parquet(file, columns=columns) for file in files], ignore_index=True)
    rows = rows[rows.arr_delay.notna()].sort_values(["flight_date", "flight_id"], kind="stable", ignore_index=True)
    rows[NUMBERS] = rows[NUMBERS].astype("float64")
    rows["late"] = (rows.arr_delay > LATE_MINUTES).astype("int64")
    # What is known only after landing ends here.
    return rows.drop(columns="arr_delay")


def split(rows: pandas.DataFrame) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Everything before the newest month, and that month. A random split would put flights of one stormy day on both sides."""
    month = rows.flight_date.str[:7]
    newest = month == month.max()
    if newest.all():
        raise SystemExit("The data snapshot holds one month only; there is nothing left to train on.")
    return rows[~newest], rows[newest]
