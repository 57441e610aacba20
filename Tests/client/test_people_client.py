"""Who may do what, as the unmodified MLflow client sees it: workspaces, webhooks, accounts with permissions."""
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import queue
import subprocess
import threading
import uuid

import pytest
from conftest import PASSWORD, binary, wait_for
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent
from mlflow.exceptions import MlflowException

ADMIN = ("admin", "correct horse battery")


def fresh(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@contextlib.contextmanager
def serve(folder, *flags, **settings):
    """A server of its own, which is told what the shared one is not."""
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(
            [binary(), "serve", "--data", str(folder / "data"), "--port", "0", *flags], stdout=log, stderr=log, env=os.environ | settings)
        try:
            yield f"http://127.0.0.1:{wait_for(folder / 'data' / 'server.json', process)['port']}"
        finally:
            process.terminate()
            process.wait(20)


# Workspaces


@pytest.fixture
def workspace():
    mlflow = pytest.importorskip("mlflow")
    if not hasattr(mlflow, "set_workspace"):
        pytest.skip("this client knows no workspaces")
    yield mlflow.set_workspace
    mlflow.set_workspace(None)


def test_the_workspace_selects_the_environment_beside_the_address(server, monkeypatch, workspace):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    name = fresh("in-stage")
    workspace("stage")
    made = MlflowClient(tracking_uri=server.url).create_experiment(name, tags={"slipway.project": "flights"})
    workspace(None)
    assert MlflowClient(tracking_uri=f"{server.url}/stage").get_experiment(made).name == name
    assert MlflowClient(tracking_uri=server.url).get_experiment_by_name(name) is None


def test_the_list_shows_what_the_caller_may_see_and_cannot_be_changed(server, reader_token):
    listed = lambda token: [w["name"] for w in server.call("GET", "/api/3.0/mlflow/workspaces", token=token, expect=200)[1]["workspaces"]]
    assert listed(server.token) == ["dev", "stage", "prod"]
    assert listed(reader_token) == ["dev"]
    server.call("GET", "/api/3.0/mlflow/workspaces/prod", token=reader_token, expect=404)
    for method, path in [("POST", ""), ("PATCH", "/dev"), ("DELETE", "/dev")]:
        _, answer = server.call(method, f"/api/3.0/mlflow/workspaces{path}", {"name": "more"}, expect=403)
        assert answer["error_code"] == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    "path, header, status",
    [("", "dev", 200), ("", "default", 200), ("", "stage", 200), ("/stage", "stage", 200), ("/stage", "prod", 400), ("", "moon", 404), ("", "../dev", 404)])
def test_header_and_address_agree_or_the_request_is_refused(server, path, header, status):
    server.call(
        "GET", f"{path}/api/2.0/mlflow/experiments/search?max_results=1", headers={"X-MLFLOW-WORKSPACE": header}, expect=status)


# Webhooks


@pytest.fixture
def receiver():
    """Keeps what it is sent."""
    received = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((self.path, dict(self.headers), body))
            if self.path == "/hangs":
                released.wait(30)
            self.send_response(302 if self.path == "/away" else 200)
            if self.path == "/away":
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    released = threading.Event()
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.server_port}", received
    released.set()
    listener.shutdown()


@pytest.fixture
def hooked(tmp_path):
    with serve(tmp_path, "--anonymous", "dev", MLFLOW_WEBHOOK_ALLOWED_SCHEMES="http", MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS="true") as url:
        yield MlflowClient(tracking_uri=url, registry_uri=url)


def test_a_delivery_is_signed_and_a_receiver_that_hangs_holds_nothing_up(hooked, receiver):
    address, received = receiver
    created = [WebhookEvent.from_str("registered_model.created")]
    hooked.create_webhook("slow", f"{address}/hangs", created)
    hooked.create_webhook("quick", f"{address}/quick", created, secret="shared")
    hooked.create_registered_model("delay", description="minutes", tags={"a": "b"})
    arrived = dict((path, (headers, body)) for path, headers, body in (received.get(timeout=10), received.get(timeout=10)))
    headers, body = arrived["/quick"]
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.".encode() + body
    assert headers["X-MLflow-Signature"] == "v1," + base64.b64encode(hmac.new(b"shared", signed, hashlib.sha256).digest()).decode()
    assert json.loads(body)["data"] == {"name": "delay", "description": "minutes", "tags": {"a": "b"}}
    assert "X-MLflow-Signature" not in arrived["/hangs"][0]


def test_the_test_says_what_came_back_and_follows_no_redirect(hooked, receiver):
    address, received = receiver
    hook = hooked.create_webhook("hook", f"{address}/ok", [WebhookEvent.from_str("model_version.created")])
    assert hooked.test_webhook(hook.webhook_id).success
    assert received.get(timeout=10)[0] == "/ok"
    hooked.update_webhook(hook.webhook_id, url=f"{address}/away")
    result = hooked.test_webhook(hook.webhook_id)
    assert (result.success, result.response_status) == (False, 302)
    assert received.get(timeout=10)[0] == "/away" and received.empty()


def test_private_addresses_and_plain_http_are_refused_by_default(server):
    for url in ["http://example.org/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://169.254.169.254/latest"]:
        _, answer = server.call(
            "POST", "/api/2.0/mlflow/webhooks", {"name": "hook", "url": url, "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}, expect=400)
        assert answer["error_code"] == "INVALID_PARAMETER_VALUE"


# Accounts and permissions


class Accounts:
    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None, by=ADMIN, expect=200):
        import requests

        query = {"params": body} if method == "GET" else {"json": body or {}}
        answer = requests.request(method, f"{self.url}{path}", auth=by, timeout=60, **query)
        assert answer.status_code == expect, f"{method} {path} by {by and by[0]}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.headers["content-type"].startswith("application/json") else answer.text

    def make(self, name):
        self.call("POST", "/api/2.0/mlflow/users/create", {"username": name, "password": PASSWORD})
        return (name, PASSWORD)


@pytest.fixture(scope="module", params=["READ", "NO_PERMISSIONS"])
def accounts(request, tmp_path_factory):
    with serve(
        tmp_path_factory.mktemp("basic"), "--auth", "basic", "--admin-user", ADMIN[0], "--admin-password", ADMIN[1], "--default-permission", request.param
    ) as url:
        found = Accounts(url)
        found.default = request.param
        yield found


def test_a_creator_manages_and_others_have_the_default(accounts):
    maker, other = accounts.make(fresh("maker")), accounts.make(fresh("Other@example.org"))
    made = accounts.call("POST", "/api/2.0/mlflow/experiments/create", {"name": fresh("mine")}, by=maker)["experiment_id"]
    run = accounts.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": made}, by=maker)["run"]["info"]["run_id"]
    metric = {"run_id": run, "key": "a", "value": 1, "timestamp": 1}
    accounts.call("POST", "/api/2.0/mlflow/runs/log-metric", metric, by=maker)
    reading = 200 if accounts.default == "READ" else 403
    accounts.call("GET", "/api/2.0/mlflow/runs/get", {"run_id": run}, by=other, expect=reading)
    assert accounts.call("POST", "/api/2.0/mlflow/runs/log-metric", metric, by=other, expect=403) == "Permission denied"
    for spelling in [{"runId": run}, {"run_uuid": run}, {"run_id": "", "run_uuid": run}]:
        accounts.call("POST", "/api/2.0/mlflow/runs/log-metric", {"key": "a", "value": 1, "timestamp": 1} | spelling, by=other, expect=403)
    accounts.call("POST", f"/api/2.0/mlflow/runs/log-metric?run_id={fresh('x')}", metric, by=other, expect=403)
    grant = {"username": other[0], "resource_type": "experiment", "resource_id": made, "permission": "EDIT"}
    accounts.call("POST", "/api/3.0/mlflow/users/permissions/grant", grant, by=other, expect=403)
    accounts.call("POST", "/api/3.0/mlflow/users/permissions/grant", grant, by=maker)
    accounts.call("POST", "/api/2.0/mlflow/runs/log-metric", metric, by=other)
    accounts.call("POST", "/api/2.0/mlflow/runs/delete", {"run_id": run}, by=other, expect=403)
    accounts.call("POST", "/api/3.0/mlflow/users/permissions/grant", grant | {"permission": "DENY"}, by=maker)
    accounts.call("GET", "/api/2.0/mlflow/runs/get", {"run_id": run}, by=other, expect=403)
    accounts.call("POST", "/api/3.0/mlflow/users/permissions/revoke", grant, by=maker)
    accounts.call("GET", "/api/2.0/mlflow/runs/get", {"run_id": run}, by=other, expect=reading)


def test_searches_leave_out_what_may_not_be_read_and_fill_the_page(accounts):
    maker, other = accounts.make(fresh("maker")), accounts.make(fresh("other"))
    prefix = fresh("page")
    ids = [accounts.call("POST", "/api/2.0/mlflow/experiments/create", {"name": f"{prefix}-{n}"}, by=maker)["experiment_id"] for n in range(6)]
    for number, made in enumerate(ids):
        level = "READ" if number % 2 else "DENY"
        accounts.call("POST", "/api/2.0/mlflow/experiments/permissions/create", {"experiment_id": made, "username": other[0], "permission": level})
    seen, token = [], None
    while True:
        body = {"max_results": 2, "filter": f"name LIKE '{prefix}%'", "order_by": ["name"]} | ({"page_token": token} if token else {})
        page = accounts.call("POST", "/api/2.0/mlflow/experiments/search", body, by=other)
        seen += [e["experiment_id"] for e in page.get("experiments", [])]
        token = page.get("next_page_token")
        if not token:
            break
    assert seen == ids[1::2]
    assert accounts.call("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": ids[::2]}, by=other) == {}


def test_a_hidden_models_bytes_are_not_had_through_a_version_of_ones_own(accounts):
    maker, other = accounts.make(fresh("maker")), accounts.make(fresh("other"))
    made = accounts.call("POST", "/api/2.0/mlflow/experiments/create", {"name": fresh("mine")}, by=maker)["experiment_id"]
    run = accounts.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": made}, by=maker)["run"]["info"]
    accounts.call("POST", "/api/2.0/mlflow/experiments/permissions/create", {"experiment_id": made, "username": other[0], "permission": "DENY"})
    name = fresh("model")
    accounts.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": name}, by=other)
    for source in [f"runs:/{run['run_id']}/model", f"mlflow-artifacts:/{made}/{run['run_id']}/artifacts/model"]:
        accounts.call("POST", "/api/2.0/mlflow/model-versions/create", {"name": name, "source": source}, by=other, expect=403)


def test_accounts_and_roles(accounts):
    ann = accounts.make(fresh("ann"))
    assert accounts.call("GET", "/api/2.0/mlflow/users/current", by=ann)["user"]["is_admin"] is False
    accounts.call("GET", "/api/2.0/mlflow/users/list", by=ann, expect=403)
    accounts.call("POST", "/api/2.0/mlflow/users/create", {"username": "short", "password": "short"}, expect=400)
    accounts.call("PATCH", "/api/2.0/mlflow/users/update-password", {"username": ann[0], "password": "another long one"}, by=ann, expect=400)
    changed = {"username": ann[0], "password": "another long one", "current_password": ann[1]}
    accounts.call("PATCH", "/api/2.0/mlflow/users/update-password", changed, by=ann)
    accounts.call("GET", "/api/2.0/mlflow/users/current", by=ann, expect=401)
    ann = (ann[0], "another long one")
    made = accounts.call("POST", "/api/2.0/mlflow/experiments/create", {"name": fresh("e")})["experiment_id"]
    role = accounts.call("POST", "/api/3.0/mlflow/roles/create", {"workspace": "default", "name": fresh("editors")})["role"]["id"]
    accounts.call(
        "POST", "/api/3.0/mlflow/roles/permissions/add", {"role_id": role, "resource_type": "experiment", "resource_pattern": "*", "permission": "EDIT"})
    accounts.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": made}, by=ann, expect=403)
    accounts.call("POST", "/api/3.0/mlflow/roles/assign", {"role_id": role, "username": ann[0]})
    accounts.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": made}, by=ann)
    assert accounts.call("GET", "/api/3.0/mlflow/users/roles/list", {"username": ann[0]}, by=ann)["roles"][0]["id"] == role
    accounts.call("DELETE", "/api/2.0/mlflow/users/delete", {"username": ADMIN[0]}, expect=400)
    accounts.call("DELETE", "/api/2.0/mlflow/users/delete", {"username": ann[0]})
    accounts.call("GET", "/api/2.0/mlflow/users/current", by=ann, expect=401)
    accounts.call("GET", "/api/2.0/mlflow/users/get", {"username": ann[0]}, expect=404)


def test_other_doors_show_nothing_that_a_level_hides(accounts):
    reader = accounts.make(fresh("reader"))
    made = accounts.call("POST", "/api/2.0/mlflow/experiments/create", {"name": fresh("e")})["experiment_id"]
    run = accounts.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": made})["run"]["info"]["run_id"]
    accounts.call("POST", "/api/3.0/mlflow/users/permissions/grant", {"username": reader[0], "resource_type": "experiment", "resource_id": made, "permission": "DENY"})
    import requests

    path = f"{accounts.url}/api/v1/dev/runs/{run}"
    assert requests.get(path, auth=ADMIN, timeout=60).status_code == 200
    assert requests.get(path, auth=reader, timeout=60).status_code in (401, 403, 404)


def test_the_permission_endpoints_are_absent_without_auth(server):
    for path in ["/api/2.0/mlflow/users/list", "/api/3.0/mlflow/roles/list", "/api/2.0/mlflow/experiments/permissions/get"]:
        _, answer = server.call("GET", path, expect=404)
        assert answer["error_code"] == "ENDPOINT_NOT_FOUND"


def test_a_wrong_password_is_said_to_be_one(accounts, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "not the password")
    with pytest.raises(MlflowException, match="You are not authenticated"):
        MlflowClient(tracking_uri=accounts.url).search_experiments()
