#!/usr/bin/env python3
"""Takes the pictures of docs/screenshots from a running demo, in headless Chromium, light and dark.

    .venv/bin/python scripts/screenshots.py --port 5080 --data slipway-data

`run-table`, `compare` and `run-dark` show a sweep of ten thousand runs, which the demo does not have; they were taken by hand.

The browser has no session of its own: a pass-through on another loopback port adds the cookie of a signed-in person.
"""

import argparse
import http.server
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request

SIZE_MAX = 300_000
SLOT = "flight-delay"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=5080)
    options.add_argument("--data", type=pathlib.Path, default=pathlib.Path("slipway-data"))
    options.add_argument("--user", default="barbara")
    options.add_argument("--to", type=pathlib.Path, default=pathlib.Path("docs/screenshots"))
    options.add_argument("--chromium", default="chromium")
    options.add_argument("--only", nargs="*", help="names of pictures; all when missing")
    chosen = options.parse_args()
    people = json.loads((chosen.data / "demo-people.json").read_text())
    server = PassThrough(f"http://127.0.0.1:{chosen.port}", chosen.user, people[chosen.user]["password"])
    chosen.to.mkdir(parents=True, exist_ok=True)
    for name, path, height, dark in pictures(server):
        if chosen.only and name not in chosen.only:
            continue
        if path is None or not server.has(path):
            print(f"screenshots: the demo has no page for '{name}' yet", file=sys.stderr)
            continue
        take(chosen.chromium, server.address + path, chosen.to / f"{name}.png", height, dark)
    return 0


def pictures(server: "PassThrough") -> list[tuple[str, str | None, int, bool]]:
    """Name, address, height of the window, dark."""
    return [
        ("sign-in", "/sign-in", 560, False),
        ("board", "/", 720, False),
        ("board-dark", "/", 720, True),
        ("run", server.find("/stage/runs", r"/stage/runs/[0-9a-f]{32}", holding="training_loss"), 1500, False),
        ("artifacts", server.find("/stage/runs", r"/stage/runs/[0-9a-f]{32}", holding="training_loss", then="/artifacts?path=roc.png"), 800, False),
        ("version", server.find("/stage/models/" + SLOT, rf"/stage/models/{SLOT}/versions/\d+"), 1300, False),
        ("execution", server.find("/stage/executions", r"/stage/executions/[0-9a-f]{12}"), 900, False),
        ("promotion", server.find("/prod/promotions", r"/prod/promotions/[0-9a-f]{12}"), 1400, False),
        ("promotion-blocked", server.find("/stage/promotions", r"/stage/promotions/[0-9a-f]{12}", holding="Nothing was changed."), 1300, False),
        ("endpoint", f"/prod/endpoints/{SLOT}", 1500, False),
        ("endpoint-dark", f"/prod/endpoints/{SLOT}", 1500, True),
        ("history", f"/prod/slots/{SLOT}/history", 520, False),
        ("dataset", server.find("/prod/data", r"/prod/data/[a-z-]+\?project=[a-z-]+"), 900, False),
        ("model", f"/prod/models/{SLOT}", 1000, False),
        ("audit", "/prod/audit", 900, False),
    ]


class PassThrough:
    """The server as one person sees it."""

    def __init__(self, base: str, user: str, password: str):
        body = json.dumps({"user": user, "password": password}).encode()
        request = urllib.request.Request(f"{base}/api/v1/sign-in", data=body, headers={"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            cookie = "slipway_session=" + json.load(answer)["secret"]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                headers = {"accept": self.headers.get("accept", "*/*")}
                if self.path != "/sign-in":
                    headers["cookie"] = cookie
                try:
                    answer = urllib.request.urlopen(urllib.request.Request(base + self.path, headers=headers))
                except urllib.error.HTTPError as refused:
                    answer = refused
                with answer:
                    content = answer.read()
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                            self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{listener.server_port}"

    def page(self, path: str) -> str:
        request = urllib.request.Request(self.address + path, headers={"accept": "text/html"})
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def has(self, path: str) -> bool:
        try:
            self.page(path)
            return True
        except urllib.error.HTTPError:
            return False

    def find(self, listing: str, pattern: str, holding: str | None = None, then: str = "") -> str | None:
        """The first page that the listing links to and that holds the text; `then` is put behind its address."""
        links = list(dict.fromkeys(re.findall(f'href="({pattern})"', self.page(listing))))
        for link in links:
            if holding is None or holding in self.page(link):
                return link + then
        return None


def take(chromium: str, address: str, file: pathlib.Path, height: int, dark: bool) -> None:
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
             f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--virtual-time-budget=4000", "--enable-logging=stderr",
             f"--window-size=1280,{height}", f"--screenshot={file.resolve()}", address],
            capture_output=True, text=True, timeout=120)
    # What the browser says about the page is a fault of ours, a refused style or script first of all.
    for line in done.stderr.splitlines():
        if "CONSOLE" in line:
            print(f"screenshots: {file.name}: {line}", file=sys.stderr)
    if not file.exists() or done.returncode != 0:
        raise SystemExit(f"screenshots: {chromium} made no picture of {address}. Install it: apt-get install chromium fonts-inter")
    size = file.stat().st_size
    print(f"{file}  {size // 1000} KB")
    if size > SIZE_MAX:
        print(f"screenshots: {file.name} is larger than {SIZE_MAX // 1000} KB", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
