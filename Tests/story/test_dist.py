"""The package in a clean root: nothing in it but what the package declares, and there it starts once. `make dist-test` runs this."""

import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
import requests

from conftest import ROOT
from story.doors import free_port

pytestmark = pytest.mark.dist


@pytest.fixture(scope="module")
def package() -> pathlib.Path:
    found = sorted((ROOT / "dist").glob("slipway_*.deb"))
    if not found:
        pytest.skip("there is no package; make dist builds it")
    return found[-1]


@pytest.fixture(scope="module")
def clean_root(package, tmp_path_factory):
    """The package unpacked, plus the files of the packages that it declares and of what those need, and nothing else."""
    root = tmp_path_factory.mktemp("root")
    for link in ("bin", "lib", "lib64", "sbin"):
        if pathlib.Path("/", link).is_symlink():
            (root / "usr" / link).mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(f"usr/{link}")
    depends = subprocess.run(["dpkg-deb", "--field", package, "Depends"], capture_output=True, text=True, check=True).stdout
    wanted, seen = [re.split(r"[ (|:]", each.strip())[0] for each in depends.split(",")], set()
    wanted.append("dash")  # /bin/sh is essential in Debian
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        files = subprocess.run(["dpkg-query", "--listfiles", name], capture_output=True, text=True)
        if files.returncode != 0:
            continue  # a virtual package, or an alternative that is not installed here
        for line in files.stdout.splitlines():
            source = pathlib.Path(line)
            if line.startswith(("/usr/share/doc", "/usr/share/locale", "/usr/share/man", "/etc", "/var")) or not (source.is_file() or source.is_symlink()):
                continue
            target = root / str(source.parent.resolve() / source.name).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() and not target.is_symlink():
                shutil.copy2(source, target, follow_symlinks=False)
        needs = subprocess.run(["dpkg-query", "--show", "--showformat", "${Depends},${Pre-Depends}", name], capture_output=True, text=True).stdout
        wanted += [re.split(r"[ (|:]", each.strip())[0] for each in needs.split(",") if each.strip()]
    subprocess.run(["dpkg", "--extract", package, root], check=True)
    for folder in ("proc", "dev", "tmp", "etc"):
        (root / folder).mkdir(exist_ok=True)
    return root


def inside(root: pathlib.Path, *words: str) -> list[str]:
    """A command in the root, with /proc and /dev in a mount namespace of its own, so that they disappear with it."""
    prepare = f"mount -t proc proc {root}/proc && mount --bind /dev {root}/dev && exec chroot {root} "
    return ["unshare", "--mount", "sh", "-c", prepare + " ".join(words)]


def test_declares_every_library_that_it_links(clean_root):
    done = subprocess.run(inside(clean_root, "/usr/bin/slipway", "--version"), capture_output=True, text=True)
    if "ermitted" in done.stderr:
        pytest.skip("this user may neither mount nor change the root")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", done.stdout.strip())


def test_brings_its_resources_and_its_unit(clean_root):
    share = clean_root / "usr/share/slipway"
    for part in ("web/slipway.css", "web/vendor/dygraph.min.js", "worker/worker.py", "template/slipway.yaml", "policies/prod.yaml"):
        assert (share / part).is_file(), part
    unit = (clean_root / "usr/lib/systemd/system/slipway.service").read_text()
    assert "ExecStart=/usr/bin/slipway serve" in unit and "User=slipway" in unit
    assert (clean_root / "usr/share/doc/slipway/copyright").read_text().startswith("\n                                 Apache License")


def test_starts_once_in_a_clean_root(clean_root):
    port = free_port()
    command = inside(clean_root, "/usr/bin/slipway", "serve", "--data", "/tmp/data", "--port", str(port))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
    try:
        end = time.monotonic() + 20
        while True:
            try:
                assert requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200
                break
            except requests.ConnectionError:
                if process.poll() is not None:
                    output = process.stdout.read().decode()
                    if "ermitted" in output:
                        pytest.skip("this user may not mount")
                    pytest.fail(output)
                assert time.monotonic() < end, "no answer within 20 s"
                time.sleep(0.05)
        page = requests.get(f"http://127.0.0.1:{port}/sign-in", timeout=5)
        assert page.status_code == 200 and "first-start-secret" in page.text, "before the first people are made it says how"
        style = re.search(r'href="(/assets/[^"]+\.css[^"]*)"', page.text).group(1)
        assert requests.get(f"http://127.0.0.1:{port}{style}", timeout=5).status_code == 200
        assert (clean_root / "tmp/data/first-start-secret").exists()
    finally:
        process.terminate()
        process.wait(20)


def test_archive_holds_the_same_program(package, tmp_path):
    archive = next((ROOT / "dist").glob("slipway-*.tar.gz"))
    subprocess.run(["tar", "--extract", "--gzip", "--file", archive, "--directory", tmp_path], check=True)
    [top] = tmp_path.iterdir()
    done = subprocess.run([top / "bin/slipway", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in top.name
    doctor = subprocess.run([top / "bin/slipway", "doctor"], capture_output=True, text=True, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    assert f"{top}/share/slipway" in doctor.stdout, "it finds the resources that lie beside it"
