"""Step 1: from a data snapshot to training and validation rows."""

import columns

training, validation = columns.split(columns.read(columns.folder("INPUT", "examples")))
out = columns.folder("OUTPUT", "features")
out.mkdir(parents=True, exist_ok=True)
training.to_parquet(out / "training.parquet", index=False)
validation.to_parquet(out / "validation.parquet", index=False)
print(f"{len(training):,} rows train, {len(validation):,} validate")
