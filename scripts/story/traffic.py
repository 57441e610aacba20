"""Asking an endpoint for predictions: real flights, in batches, as an airline's system would."""

import concurrent.futures
import json
import pathlib
import threading
import time

import pandas
import pyarrow.parquet

from .doors import Person, Refused

BATCH = 500


def batches(month: pathlib.Path, size: int = BATCH) -> list[bytes]:
    """A month's flights in the order of their departure, as bodies in MLflow's scoring shape."""
    rows = pandas.read_parquet(month)
    return [body(rows[start:start + size]) for start in range(0, len(rows), size)]


def rows(month: pathlib.Path) -> int:
    return pyarrow.parquet.read_metadata(month).num_rows


def first(month: pathlib.Path, count: int) -> pandas.DataFrame:
    return pandas.read_parquet(month).head(count)


def body(rows: pandas.DataFrame) -> bytes:
    # pandas writes NaN as null and times as ISO text, which is what the endpoint reads.
    return b'{"dataframe_split":' + rows.to_json(orient="split", index=False, date_format="iso", date_unit="s").encode() + b"}"


class Endpoint:
    def __init__(self, person: Person, environment: str, name: str):
        self.person, self.environment, self.name = person, environment, name

    @property
    def path(self) -> str:
        return f"/{self.environment}/endpoints/{self.name}/invocations"

    def ask(self, content: bytes, patience: float = 60) -> list[float]:
        """Probabilities, one per row. Busy answers (429, 503) are tried again: the endpoint says when it has too much."""
        end = time.monotonic() + patience
        while True:
            response = self.person.http.post(
                self.person.server.address + self.path, data=content, headers={"Content-Type": "application/json"}, timeout=60)
            if response.status_code not in (429, 503) or time.monotonic() > end:
                break
            time.sleep(float(response.headers.get("Retry-After", 1)))
        if response.status_code != 200:
            raise Refused(self.path, response.status_code, response.text[:300])
        return response.json()["predictions"]

    def replay(self, month: pathlib.Path, progress, lanes: int = 2) -> int:
        """All flights of a month; the number of rows answered."""
        answered = 0
        with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
            for predictions in pool.map(self.ask, batches(month)):
                answered += len(predictions)
                progress(len(predictions))
        return answered


class Drip:
    """Single flights, one after the other in a few lanes, while a rollout needs requests that are really answered."""

    LANES = 3

    def __init__(self, endpoint: Endpoint, month: pathlib.Path):
        self.endpoint = endpoint
        rows = pandas.read_parquet(month)
        self.bodies = [body(rows[index:index + 1]) for index in range(0, min(len(rows), 2000), 7)]
        self.answers, self.problem = [0] * self.LANES, None
        self.stopping = threading.Event()

    @property
    def answered(self) -> int:
        return sum(self.answers)

    def __enter__(self) -> "Drip":
        self.threads = [threading.Thread(target=self._run, args=[lane], daemon=True) for lane in range(self.LANES)]
        for thread in self.threads:
            thread.start()
        return self

    def _run(self, lane: int) -> None:
        turn = lane
        while not self.stopping.is_set():
            try:
                self.endpoint.ask(self.bodies[turn % len(self.bodies)])
                self.answers[lane] += 1
            except (Refused, OSError) as problem:
                self.problem = problem
                self.stopping.wait(0.2)
            turn += self.LANES

    def __exit__(self, *_) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(10)


def example(month: pathlib.Path) -> dict:
    """One flight as records, for people to look at."""
    rows = pandas.read_parquet(month)
    return json.loads(rows.sample(1, random_state=7).to_json(orient="records", date_format="iso", date_unit="s"))[0]
