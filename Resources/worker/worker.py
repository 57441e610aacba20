"""Slipway's model worker: loads one MLflow model and answers the gateway on a Unix socket.

One process, one model, one connection, one request at a time: the gateway runs as many workers as it wants answers in
parallel. Frames are length-prefixed, because the bodies are passed through as they came:

    request   kind:u8  want_rows:u8  meta_length:u32  body_length:u32   meta (JSON)  body
    response  status:u16  form:u8  rows:u32  nan:u32  body_length:u32  rows_length:u32   body  rows

`form` says how the gateway may cut the request into rows itself (1 dataframe_split, 2 dataframe_records); for every
other shape (0) the rows come back when they were wanted: one line each, `"row":{...},"prediction":...`, for the capture.

A scikit-learn classifier with two classes answers with the probability of its second class, so that a prediction is a
number that can be watched, unless the model was logged with another `pyfunc_predict_fn`. Everything else answers what
`mlflow.pyfunc` answers.
"""

import argparse
import ctypes
import io
import json
import logging
import math
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
import traceback

REQUEST = struct.Struct(">BBII")
RESPONSE = struct.Struct(">HBIIII")
JSON_BODY, CSV_BODY, INFER_BODY, PING = 0, 1, 2, 3
FORM_OTHER, FORM_SPLIT, FORM_RECORDS = 0, 1, 2
KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class BadRequest(Exception):
    """The request cannot be answered as it is; the message is for the caller."""


def die_with_parent(parent: int) -> None:
    """Ends this process when the gateway's thread that started it ends, however that happens."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        pass  # not Linux: the watch below does it
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(70)
    if os.getppid() != parent:
        os._exit(70)
    threading.Thread(target=watch, daemon=True).start()


class Model:
    def __init__(self, folder: str, name: str, version: str) -> None:
        import mlflow.pyfunc
        self.name, self.version = name, version
        self.pyfunc = mlflow.pyfunc.load_model(folder, suppress_warnings=True)
        # Columns beyond the signature (keys, event times) are expected; one warning a request would fill the log.
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        self.schema = self.pyfunc.metadata.get_input_schema()
        self.method = self._choose_method()

    def _choose_method(self) -> str:
        flavors = self.pyfunc.metadata.flavors
        logged = flavors.get("python_function", {}).get("predict_fn", "predict")
        raw = self.pyfunc.get_raw_model() if "sklearn" in flavors and logged in ("predict", "predict_proba") else None
        if raw is None or not hasattr(raw, "predict_proba") or len(getattr(raw, "classes_", ())) != 2:
            return logged
        # The wrapper's function is replaced, not the call, so that pyfunc still checks the input against the signature.
        self.pyfunc._predict_fn = lambda data: raw.predict_proba(data)[:, 1]
        return "predict_proba[:,1]"

    def description(self) -> dict:
        def columns(schema):
            if schema is None:
                return []
            found = []
            for spec in schema.to_dict():
                kind = spec.get("type")
                dtype = spec.get("tensor-spec", {}).get("dtype", "object") if kind == "tensor" else kind
                shape = spec.get("tensor-spec", {}).get("shape", [-1]) if kind == "tensor" else [-1]
                found.append({"name": spec.get("name") or "input", "datatype": datatype(dtype), "shape": [str(n) for n in shape]})
            return found
        outputs = columns(self.pyfunc.metadata.get_output_schema())
        if self.method == "predict_proba[:,1]" or not outputs:
            outputs = [{"name": "predictions", "datatype": "FP64", "shape": ["-1"]}]
        return {"method": self.method, "inputs": columns(self.schema), "outputs": outputs}

    # Requests

    def invoke(self, kind: int, body: bytes, want_rows: bool):
        if kind == CSV_BODY:
            data, params, form = self._csv(body), None, FORM_OTHER
        else:
            data, params, form = self._json(body)
        # Before the prediction, which may change the data.
        rows = rows_of(data) if want_rows and form == FORM_OTHER else []
        values, nan = plain(self._predict(data, params))
        count = len(values) if isinstance(values, list) else 1
        return form, count, nan, compact({"predictions": values}), captured(rows, values)

    def _json(self, body: bytes):
        from mlflow.utils.proto_json_utils import dataframe_from_parsed_json, parse_tf_serving_input
        document = parsed(body)
        if not isinstance(document, dict):
            raise BadRequest("The request's JSON must be an object with one of %s." % ", ".join(KEYS))
        found = [key for key in KEYS if key in document]
        if len(found) != 1:
            raise BadRequest("The request must have exactly one of %s; it has the fields: %s." % (
                ", ".join(KEYS), ", ".join(sorted(map(str, document))) or "none"))
        params = document.get("params")
        extra = set(document) - {found[0], "params"}
        if extra:
            raise BadRequest("Unknown fields in the request: %s." % ", ".join(sorted(map(str, extra))))
        if found[0] == "dataframe_split":
            value = document[found[0]]
            data = dataframe_from_parsed_json(value, "split", self.schema)
            return data, params, FORM_SPLIT if value.get("columns") else FORM_OTHER
        if found[0] == "dataframe_records":
            return dataframe_from_parsed_json(document[found[0]], "records", self.schema), params, FORM_RECORDS
        return parse_tf_serving_input({found[0]: document[found[0]]}, self.schema), params, FORM_OTHER

    def _csv(self, body: bytes):
        import pandas
        from mlflow.utils.proto_json_utils import cast_df_types_according_to_schema
        try:
            frame = pandas.read_csv(io.BytesIO(body))
        except (ValueError, UnicodeDecodeError) as error:
            raise BadRequest("The request's CSV cannot be read: %s" % error) from error
        return cast_df_types_according_to_schema(frame, self.schema) if self.schema is not None else frame

    def infer(self, body: bytes, want_rows: bool):
        """Open Inference Protocol: columns as named tensors, or one tensor with a column per feature."""
        document = parsed(body)
        inputs = document.get("inputs") if isinstance(document, dict) else None
        if not isinstance(inputs, list) or not inputs or not all(isinstance(i, dict) for i in inputs):
            raise BadRequest("The request must have 'inputs': a list of tensors with name, shape, datatype and data.")
        data = self._tensors(inputs)
        rows = rows_of(data) if want_rows else []
        values, nan = plain(self._predict(data, document.get("parameters") or None))
        if isinstance(values, list) and values and isinstance(values[0], dict):
            outputs = [tensor(key, [row.get(key) for row in values]) for key in values[0]]
        else:
            outputs = [tensor("predictions", values if isinstance(values, list) else [values])]
        answer = {"model_name": self.name, "model_version": self.version, "outputs": outputs}
        if "id" in document:
            answer["id"] = str(document["id"])
        count = len(values) if isinstance(values, list) else 1
        return FORM_OTHER, count, nan, compact(answer), captured(rows, values)

    def _tensors(self, inputs: list):
        import numpy
        import pandas
        from mlflow.utils.proto_json_utils import cast_df_types_according_to_schema
        arrays = {}
        for item in inputs:
            name, shape, values = item.get("name"), item.get("shape"), item.get("data")
            if not isinstance(name, str) or not isinstance(shape, list) or not isinstance(values, list):
                raise BadRequest("A tensor lacks its name, shape or data.")
            if not all(isinstance(n, int) and n >= 0 for n in shape):
                raise BadRequest("The shape of '%s' is not a list of sizes." % name[:80])
            array = numpy.array(values, dtype=object if item.get("datatype") == "BYTES" else None)
            if array.size != math.prod(shape):
                raise BadRequest("Tensor '%s' has %d values, but its shape %s needs %d." % (name[:80], array.size, shape, math.prod(shape)))
            arrays[name] = array.reshape(shape)
        if self.schema is not None and self.schema.is_tensor_spec():
            return arrays if self.schema.has_input_names() else next(iter(arrays.values()))
        first = next(iter(arrays.values()))
        if len(arrays) == 1 and first.ndim == 2 and first.shape[1] > 1:
            names = self.schema.input_names() if self.schema is not None and self.schema.has_input_names() else None
            if names is not None and len(names) != first.shape[1]:
                raise BadRequest("The tensor has %d columns; the model has %d inputs: %s." % (first.shape[1], len(names), ", ".join(names)))
            frame = pandas.DataFrame(first, columns=names)
        else:
            sizes = {name: array.shape[0] if array.ndim else 1 for name, array in arrays.items()}
            if len(set(sizes.values())) != 1:
                raise BadRequest("The tensors have different numbers of rows: %s." % sizes)
            frame = pandas.DataFrame({name: array.reshape(sizes[name], -1)[:, 0] for name, array in arrays.items()})
        return cast_df_types_according_to_schema(frame, self.schema) if self.schema is not None else frame

    def _predict(self, data, params):
        return self.pyfunc.predict(data, params=params) if params else self.pyfunc.predict(data)


def parsed(body: bytes):
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The request's body is not JSON: %s" % error) from error


def datatype(dtype: str) -> str:
    return {
        "boolean": "BOOL", "bool": "BOOL", "integer": "INT32", "int32": "INT32", "long": "INT64", "int64": "INT64", "float": "FP32",
        "float32": "FP32", "double": "FP64", "float64": "FP64",
    }.get(str(dtype), "BYTES")


def tensor(name: str, values: list) -> dict:
    shape, inner = [len(values)], values
    while inner and isinstance(inner[0], list):
        shape.append(len(inner[0]))
        inner = inner[0]
    flat = values
    for _ in shape[1:]:
        flat = [x for row in flat for x in row]
    sample = next((x for x in flat if x is not None), 0.0)
    kind = "BOOL" if isinstance(sample, bool) else "INT64" if isinstance(sample, int) else "FP64" if isinstance(sample, float) else "BYTES"
    return {"name": name, "shape": shape, "datatype": kind, "data": flat}


def compact(document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def captured(rows: list, values) -> bytes:
    if not isinstance(values, list):
        values = [values] * len(rows)
    return b"".join(b'"row":%s,"prediction":%s\n' % (row, compact(value)) for row, value in zip(rows, values))


def rows_of(data) -> list:
    import pandas
    try:
        frame = data if isinstance(data, pandas.DataFrame) else pandas.DataFrame(data)
        frame.columns = [str(name) for name in frame.columns]
        return frame.to_json(orient="records", lines=True, double_precision=15, date_format="iso").encode().splitlines()
    except (ValueError, TypeError, OverflowError):
        return []  # no table: nothing per row to capture


def plain(result):
    """JSON values and how many of them were NaN or infinite, which JSON spells null."""
    import numpy
    import pandas
    if isinstance(result, pandas.DataFrame):
        result = result.to_dict(orient="records")
    elif isinstance(result, pandas.Series):
        result = result.to_numpy()
    if isinstance(result, numpy.ndarray):
        if result.dtype.kind != "f":
            return scrubbed(result.tolist()) if result.dtype.kind == "O" else (result.tolist(), 0)
        wrong = int(result.size - numpy.isfinite(result).sum())
        return (result.tolist(), 0) if wrong == 0 else scrubbed(result.tolist())
    return scrubbed(result)


def scrubbed(value):
    if isinstance(value, float):
        return (value, 0) if math.isfinite(value) else (None, 1)
    if isinstance(value, dict):
        pairs = {str(key): scrubbed(inner) for key, inner in value.items()}
        return {key: inner for key, (inner, _) in pairs.items()}, sum(n for _, n in pairs.values())
    if isinstance(value, (list, tuple)):
        pairs = [scrubbed(inner) for inner in value]
        return [inner for inner, _ in pairs], sum(n for _, n in pairs)
    if value is None or isinstance(value, (str, int, bool)):
        return value, 0
    if hasattr(value, "tolist"):
        return scrubbed(value.tolist())
    return str(value), 0


def refusal(kind: int, code: str, message: str) -> bytes:
    return compact({"error": message} if kind == INFER_BODY else {"error_code": code, "message": message})


def answer(model: Model, kind: int, want_rows: bool, body: bytes):
    """Never raises: whatever the model throws becomes an answer."""
    from mlflow.exceptions import MlflowException
    try:
        work = model.infer(body, want_rows) if kind == INFER_BODY else model.invoke(kind, body, want_rows)
        return (200, *work)
    except BadRequest as error:
        return 400, FORM_OTHER, 0, 0, refusal(kind, "BAD_REQUEST", str(error)), b""
    except MlflowException as error:
        return 400, FORM_OTHER, 0, 0, refusal(kind, "BAD_REQUEST", str(error.message)[:2000]), b""
    except MemoryError:
        return 500, FORM_OTHER, 0, 0, refusal(kind, "INTERNAL_ERROR", "The model ran out of memory for this request."), b""
    except Exception as error:  # a model may raise anything
        traceback.print_exc()
        return 500, FORM_OTHER, 0, 0, refusal(kind, "INTERNAL_ERROR", "The model failed: %s: %s" % (type(error).__name__, str(error)[:1000])), b""


def receive(connection: socket.socket, count: int) -> bytes:
    buffer = bytearray(count)
    view, done = memoryview(buffer), 0
    while done < count:
        got = connection.recv_into(view[done:])
        if got == 0:
            raise EOFError
        done += got
    return bytes(buffer)


def serve(model: Model, connection: socket.socket) -> None:
    hello = json.dumps(model.description()).encode()
    connection.sendall(RESPONSE.pack(200, FORM_OTHER, 0, 0, len(hello), 0) + hello)
    while True:
        kind, want_rows, meta_length, body_length = REQUEST.unpack(receive(connection, REQUEST.size))
        receive(connection, meta_length)  # room for later versions of the frame
        body = receive(connection, body_length)
        if kind == PING:
            work = 200, FORM_OTHER, 0, 0, b"", b""
        else:
            work = answer(model, kind, bool(want_rows), body)
        status, form, rows, nan, text, lines = work
        connection.sendall(RESPONSE.pack(status, form, rows, nan, len(text), len(lines)) + text + lines)


def main() -> int:
    options = argparse.ArgumentParser(description="Answers predictions of one MLflow model; started by 'slipway gateway'.")
    options.add_argument("--model", required=True, help="the model's folder (holds MLmodel)")
    options.add_argument("--folder", required=True, help="where to work; short socket names are relative to it")
    options.add_argument("--socket", required=True, help="name of the Unix socket in the folder")
    options.add_argument("--name", required=True)
    options.add_argument("--version", required=True)
    options.add_argument("--parent", type=int, required=True)
    options.add_argument("--memory", type=int, default=0, help="bytes of address space, 0 for no bound")
    arguments = options.parse_args()
    die_with_parent(arguments.parent)
    os.chdir(arguments.folder)  # a Unix socket's whole path may have 107 bytes only
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the gateway's to handle
    if arguments.memory:
        resource.setrlimit(resource.RLIMIT_AS, (arguments.memory, arguments.memory))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(arguments.socket)
    os.chmod(arguments.socket, 0o600)
    listener.listen(1)
    started = time.monotonic()
    try:
        model = Model(arguments.model, arguments.name, arguments.version)
    except Exception as error:  # loading runs the model's own code
        traceback.print_exc()
        print("The model cannot be loaded: %s: %s" % (type(error).__name__, error), file=sys.stderr, flush=True)
        return 2
    print("loaded %s version %s in %.1f s" % (arguments.name, arguments.version, time.monotonic() - started), file=sys.stderr, flush=True)
    connection, _ = listener.accept()
    listener.close()
    os.unlink(arguments.socket)
    try:
        serve(model, connection)
    except (EOFError, ConnectionError):
        return 0  # the gateway closed the connection: nothing left to do
    return 0


if __name__ == "__main__":
    sys.exit(main())
