"""The pages as a browser draws them: runs of the unmodified client, looked at in headless Chromium."""
import re
import shutil
import subprocess

import pytest
from mlflow.entities import Metric, Param

import conftest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    """A server as somebody at this machine has it: whoever comes may work in dev."""
    folder = tmp_path_factory.mktemp("laptop")
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen([conftest.binary(), "serve", "--data", str(folder / "data"), "--port", "0", "--anonymous", "dev"], stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{conftest.wait_for(folder / 'data' / 'server.json', process)['port']}"
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def sweep(laptop):
    """Experiment and ids of three runs with a curve of 5,000 points that has one spike."""
    from mlflow import MlflowClient

    client = MlflowClient(f"{laptop}/dev", f"{laptop}/dev")
    experiment = client.create_experiment("sweep")
    runs = []
    for index in range(3):
        run = client.create_run(experiment, run_name=f"candidate-{index}").info.run_id
        client.log_batch(run, params=[Param("rate", str(0.1 * (index + 1))), Param("kind", "tree")], metrics=[Metric("auc", 0.7 + index / 100, 1, 0)])
        for start in range(0, 5000, 1000):
            client.log_batch(run, metrics=[Metric("train/loss", 9.0 if step == 3333 else 1 / (step + 1), step, step) for step in range(start, start + 1000)])
        client.set_terminated(run)
        runs.append(run)
    return experiment, runs


def look(address, folder):
    """The page after its scripts have run. Whatever the browser complains about fails the test: a refused style or script first of all."""
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--virtual-time-budget=8000", "--enable-logging=stderr",
         "--window-size=1280,3000", "--dump-dom", address], capture_output=True, text=True, timeout=120)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not complaints, complaints
    return done.stdout


def test_a_run_table_is_shown_and_waits_for_two_ticks(laptop, sweep, tmp_path):
    page = look(f"{laptop}/dev/experiments/{sweep[0]}", tmp_path)
    assert all(f"candidate-{index}" in page for index in range(3))
    assert re.search(r'<button data-picked="2" disabled', page)
    assert 'role="combobox"' in page


def test_curves_of_a_run_are_drawn(laptop, sweep, tmp_path):
    page = look(f"{laptop}/dev/runs/{sweep[1][0]}?smooth=0.5&log=1", tmp_path)
    assert len(re.findall(r'<figure class="chart curve drawn"', page)) == 1
    assert "<canvas" in page and "No points" not in page


def test_a_comparison_draws_all_runs(laptop, sweep, tmp_path):
    page = look(f"{laptop}/dev/compare?" + "&".join(f"run={run}" for run in sweep[1]), tmp_path)
    for kind in ("curve", "parallel", "scatter"):
        figure = re.search(rf'<figure class="chart {kind} drawn".*?</figure>', page, re.S)
        assert figure and "<canvas" in figure[0], kind
    assert "candidate-2" in re.search(r'<div class="legend">.*?</div>', page, re.S)[0]


def test_the_link_that_the_client_prints_leads_to_the_run(laptop, sweep, tmp_path):
    page = look(f"{laptop}/dev/#/experiments/{sweep[0]}/runs/{sweep[1][1]}", tmp_path)
    assert "<h1>candidate-1</h1>" in page


def test_a_page_that_somebody_logged_runs_in_nobodys_name(laptop, sweep, tmp_path):
    from mlflow import MlflowClient

    script = "<p id=x></p><script>try { document.cookie; x.textContent = 'reached' } catch (error) { x.textContent = 'refused: ' + error.name }</script>"
    MlflowClient(f"{laptop}/dev").log_text(sweep[1][0], script, "report.html")
    assert "refused: SecurityError" in look(f"{laptop}/dev/runs/{sweep[1][0]}/artifact?path=report.html", tmp_path / "direct")
    page = look(f"{laptop}/dev/runs/{sweep[1][0]}/artifacts?path=report.html", tmp_path / "framed")
    assert 'sandbox="allow-scripts"' in page
