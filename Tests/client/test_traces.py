"""Tracing with the unmodified client, and OTLP with what nobody should send."""
import gzip
import json
import urllib.error
import urllib.request
import uuid
import zlib

import pytest


@pytest.fixture
def experiment(mlflow_dev):
    name = f"traces-{uuid.uuid4().hex[:8]}"
    return mlflow_dev.set_experiment(name).experiment_id


def traced(mlflow):
    @mlflow.trace(span_type="LLM", attributes={"model": "gpt-4", "temperature": 0.5})
    def ask(question):
        with mlflow.start_span(name="retrieve", span_type="RETRIEVER") as span:
            span.set_inputs({"question": question})
            span.set_outputs([1, 2.5, None, {"deep": ["x"]}])
        return {"answer": question.upper()}

    return ask


def search(mlflow, experiment, **arguments):
    mlflow.flush_trace_async_logging()
    return mlflow.search_traces(locations=[experiment], return_type="list", **arguments)


def test_a_traced_function_is_kept_with_its_spans(mlflow_dev, experiment):
    ask = traced(mlflow_dev)
    ask("why?")
    (trace,) = search(mlflow_dev, experiment)
    assert trace.info.state == "OK" and trace.info.execution_duration >= 0
    assert "why?" in trace.info.request_preview and "WHY?" in trace.info.response_preview
    root, child = trace.data.spans
    assert (root.name, root.span_type, root.inputs, root.outputs) == ("ask", "LLM", {"question": "why?"}, {"answer": "WHY?"})
    assert child.parent_id == root.span_id and child.outputs == [1, 2.5, None, {"deep": ["x"]}]
    assert root.get_attribute("temperature") == 0.5
    again = mlflow_dev.get_trace(trace.info.trace_id)
    assert [span.to_dict() for span in again.data.spans] == [span.to_dict() for span in trace.data.spans]


def test_traces_are_found_by_what_is_in_them(mlflow_dev, experiment):
    ask = traced(mlflow_dev)
    with mlflow_dev.start_run() as run:
        ask("inside")
    ask("outside")
    for filter_string, count in {
        "trace.status = 'OK'": 2,
        "trace.status != 'OK'": 0,
        f"attributes.run_id = '{run.info.run_id}'": 1,
        "span.name = 'retrieve' AND span.type = 'RETRIEVER'": 2,
        "span.name = 'retrieve' AND span.type = 'LLM'": 0,
        "span.attributes.model = 'gpt-4'": 2,
        "span.attributes.model RLIKE '^gpt-[0-9]$'": 2,
        "span.attributes.temperature = '0.5'": 2,
        "trace.text LIKE '%outside%'": 1,
        "trace.text ILIKE '%OUTSIDE%' OR trace.text LIKE '%inside%'": 2,
        "NOT trace.text LIKE '%inside%'": 1,
        "name = 'ask' AND timestamp_ms > 0": 2,
        "tags.nothing IS NULL": 2,
    }.items():
        assert len(search(mlflow_dev, experiment, filter_string=filter_string)) == count, filter_string
    with pytest.raises(mlflow_dev.exceptions.MlflowException, match="Invalid"):
        search(mlflow_dev, experiment, filter_string="name = 'x'; DROP TABLE trace")


def test_feedback_and_expectations(mlflow_dev, experiment):
    traced(mlflow_dev)("judge me")
    (trace,) = search(mlflow_dev, experiment)
    source = mlflow_dev.entities.AssessmentSource(source_type="HUMAN", source_id="ada")
    made = mlflow_dev.log_feedback(trace_id=trace.info.trace_id, name="good", value=True, rationale="yes", source=source)
    mlflow_dev.log_expectation(trace_id=trace.info.trace_id, name="facts", value=["a", {"b": 1}], source=source)
    (trace,) = search(mlflow_dev, experiment, filter_string="feedback.good = 'true'")
    by_name = {assessment.name: assessment for assessment in trace.info.assessments}
    assert by_name["good"].value is True and by_name["good"].source.source_id == "ada" and by_name["facts"].value == ["a", {"b": 1}]
    mlflow_dev.override_feedback(trace_id=trace.info.trace_id, assessment_id=made.assessment_id, value=False, source=source)
    assert search(mlflow_dev, experiment, filter_string="feedback.good = 'true'") == []
    assert len(search(mlflow_dev, experiment, filter_string="feedback.good = 'false'")) == 1
    mlflow_dev.delete_assessment(trace_id=trace.info.trace_id, assessment_id=made.assessment_id)


def test_tags_and_deletion(mlflow_dev, experiment):
    traced(mlflow_dev)("one")
    traced(mlflow_dev)("two")
    client = mlflow_dev.MlflowClient()
    first, second = search(mlflow_dev, experiment, order_by=["timestamp_ms ASC"])
    client.set_trace_tag(first.info.trace_id, "team", "search")
    assert [t.info.trace_id for t in search(mlflow_dev, experiment, filter_string="tags.team = 'search'")] == [first.info.trace_id]
    client.delete_trace_tag(first.info.trace_id, "team")
    assert client.delete_traces(experiment, trace_ids=[first.info.trace_id]) == 1
    assert [t.info.trace_id for t in search(mlflow_dev, experiment)] == [second.info.trace_id]
    assert client.delete_traces(experiment, max_timestamp_millis=2**53) == 1
    assert search(mlflow_dev, experiment) == []


def test_somebody_who_may_only_look_adds_nothing(server, mlflow_dev, experiment, reader_token):
    body = otlp_json()
    answer = send(server, body, "application/json", experiment, token=reader_token)
    assert answer[0] == 403, answer
    assert send(server, body, "application/json", experiment, token="")[0] == 401
    assert search(mlflow_dev, experiment) == []


# OTLP by hand.


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def span(trace=None, name=b"op"):
    times = b"".join(varint(n << 3 | 1) + (10**18 + n).to_bytes(8, "little") for n in (7, 8))
    attribute = field(9, field(1, b"k") + field(2, field(1, "wört".encode())))
    return field(1, trace or uuid.uuid4().bytes) + field(2, b"12345678") + field(5, name) + times + attribute


def otlp(*spans):
    return field(1, field(2, b"".join(field(2, one) for one in spans)))


def otlp_json(trace=None):
    one = {"traceId": trace or uuid.uuid4().hex, "spanId": "0123456789abcdef", "name": "op", "startTimeUnixNano": "1700000000000000000",
           "endTimeUnixNano": "1700000001500000000", "status": {"code": 2}, "attributes": [{"key": "n", "value": {"intValue": "5"}}]}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}).encode()


def send(server, body, kind, experiment, encoding=None, token=None):
    headers = {"Content-Type": kind}
    if experiment:
        headers["x-mlflow-experiment-id"] = experiment
    if encoding:
        headers["Content-Encoding"] = encoding
    if token != "":
        headers["Authorization"] = f"Bearer {token or server.token}"
    request = urllib.request.Request(f"{server.url}/dev/v1/traces", data=body, method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


PROTOBUF = "application/x-protobuf"


def test_spans_of_any_exporter(server, mlflow_dev, experiment):
    trace = uuid.uuid4().hex
    assert send(server, otlp_json(trace), "application/json; charset=utf-8", experiment) == (200, PROTOBUF, b"")
    for encoding, pack in [(None, bytes), ("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda body: zlib.compress(body)[2:-4])]:
        assert send(server, pack(otlp(span())), PROTOBUF, experiment, encoding)[0] == 200, encoding
    found = search(mlflow_dev, experiment)
    assert len(found) == 5
    assert {one.data.spans[0].get_attribute("k") for one in found} == {None, "wört"}
    kept = mlflow_dev.get_trace(f"tr-{trace}")
    assert kept.info.state == "ERROR" and kept.info.execution_duration == 1500 and kept.data.spans[0].get_attribute("n") == 5


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "status"),
    [
        (b"", PROTOBUF, None, 400),
        (b"\xff\xff", PROTOBUF, None, 400),
        (otlp(span()) + b"\x0a\xff\xff\xff\x7f", PROTOBUF, None, 400),
        (otlp(span(), span(name=b"\xff\xfe")), PROTOBUF, None, 400),
        (otlp(span(), field(5, b"no ids")), PROTOBUF, None, 422),
        (otlp(span(), span(trace=b"x" * 17)), PROTOBUF, None, 422),
        (b"{", "application/json", None, 400),
        (b"[" * 100_000, "application/json", None, 400),
        (b'{"resourceSpans": 5}', "application/json", None, 400),
        (otlp_json("xyz"), "application/json", None, 400),
        (otlp(span()), "text/plain", None, 400),
        (otlp(span()), PROTOBUF, "gzip", 400),
        (gzip.compress(otlp(span()))[:-9], PROTOBUF, "gzip", 400),
        (otlp(span()), PROTOBUF, "br", 400),
        (gzip.compress(b"\0" * (64 << 20)), PROTOBUF, "gzip", 400),
        (b"\0" * (33 << 20), PROTOBUF, None, 400),
    ],
    ids=lambda value: f"{len(value)}-bytes" if isinstance(value, bytes) else str(value),
)
def test_what_is_broken_adds_nothing(server, mlflow_dev, experiment, body, kind, encoding, status):
    answer = send(server, body, kind, experiment, encoding)
    assert answer[0] == status, answer[2][:300]
    assert search(mlflow_dev, experiment) == []


def test_deep_values_are_refused_whole(server, mlflow_dev, experiment):
    value = field(1, b"x")
    for _ in range(200):
        value = field(5, field(1, value))
    deep = field(1, uuid.uuid4().bytes) + field(2, b"12345678") + field(9, field(1, b"k") + field(2, value))
    assert send(server, otlp(span(), deep), PROTOBUF, experiment)[0] == 400
    assert search(mlflow_dev, experiment) == []


def test_the_experiment_must_be_named_and_there(server):
    assert send(server, otlp(span()), PROTOBUF, None)[0] == 422
    assert send(server, otlp(span()), PROTOBUF, "987654")[0] == 404


def test_evaluation_datasets_and_scorers(mlflow_dev, experiment):
    from mlflow.genai.datasets import create_dataset, get_dataset

    dataset = create_dataset(name=f"questions-{experiment}", experiment_id=[experiment], tags={"team": "search"})
    dataset.merge_records([{"inputs": {"q": "a"}, "expectations": {"answer": "b"}}, {"inputs": {"q": "c"}}])
    dataset.merge_records([{"inputs": {"q": "a"}, "expectations": {"score": 1.5}}])
    frame = get_dataset(dataset_id=dataset.dataset_id).to_df()
    assert len(frame) == 2
    assert {"answer": "b", "score": 1.5} in list(frame["expectations"])
