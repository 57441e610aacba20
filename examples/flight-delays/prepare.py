"""Step 1: from a data snapshot to training and validation rows."""

import flights


def main() -> None:
    rows = flights.read(flights.folder("INPUT", "flights"))
    training, validation = flights.split(rows)
    out = flights.folder("OUTPUT", "features")
    out.mkdir(parents=True, exist_ok=True)
    training.to_parquet(out / "training.parquet", index=False)
    validation.to_parquet(out / "validation.parquet", index=False)
    for name, part in [("training", training), ("validation", validation)]:
        print(f"{name}: {len(part):,} flights from {part.flight_date.min()} to {part.flight_date.max()}, {part.late.mean():.1%} late")


if __name__ == "__main__":
    main()
