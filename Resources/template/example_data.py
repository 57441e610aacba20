"""Makes rows to try the pipeline with: python example_data.py FOLDER. Replace them by yours."""

import pathlib
import sys

import numpy
import pandas

count = 4000
random = numpy.random.default_rng(7)
rows = pandas.DataFrame({
    "id": [f"row-{number:05}" for number in range(count)],
    "happened_at": pandas.Timestamp("2026-01-01") + pandas.to_timedelta(numpy.sort(random.uniform(0, 90 * 86_400, count)).astype("int64"), unit="s"),
    "customer": [f"customer-{number}" for number in random.integers(0, 800, count)],
    "amount": random.gamma(2, 40, count).round(2),
    "visits": random.poisson(3, count).astype("float64"),
    "age_days": random.uniform(0, 900, count).round(),
    "channel": random.choice(["web", "shop", "phone"], count, p=[0.6, 0.3, 0.1]),
})
score = 0.9 * (rows.visits - 3) / 1.7 - 0.004 * (rows.age_days - 450) + 0.6 * (rows.channel == "shop") - 0.5
rows["target"] = (random.uniform(size=count) < 1 / (1 + numpy.exp(-score))).astype("int64")

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "example-data")
folder.mkdir(parents=True, exist_ok=True)
rows.to_parquet(folder / "examples.parquet", index=False)
print(f"{count:,} rows in {folder}")
