"""Firefox over WebDriver BiDi, without geckodriver: a process, a web socket, JSON.

Firefox differs from Chromium where it matters here: it keeps no `no-store` page (and then loses the
typed text), it sends each Enter as a POST of its own, and it replaces the history entry of a form
that posts to its own address.
"""

import itertools
import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self

import websocket

PREFERENCES: dict[str, object] = {
    "remote.active-protocols": 1,  # BiDi only
    "browser.startup.page": 0,
    "browser.shell.checkDefaultBrowser": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
}
FLAGS = ("--headless", "--no-remote", "--remote-debugging-port", "0")
ENTER = "\ue006"  # WebDriver's code points for keys


class Firefox:
    """One Firefox with one tab. Use it as a context manager.

    `preferences` go to user.js: `{"javascript.enabled": False}` switches scripts off (`js` works
    nevertheless). Every method blocks until Firefox has answered; `click`, `enter` and `history`
    do not wait for a navigation, so poll afterwards.
    """

    def __init__(self, path: Path, preferences: Mapping[str, object] | None = None) -> None:
        self._profile = Path(tempfile.mkdtemp(prefix="seeother-firefox-"))
        lines = (
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in {**PREFERENCES, **(preferences or {})}.items()
        )
        (self._profile / "user.js").write_text("".join(lines), encoding="utf-8")
        self._process = subprocess.Popen(
            [str(path), *FLAGS, "--profile", str(self._profile)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._ids = itertools.count(1)
        try:
            self._connect()
        except BaseException:
            self._end()
            raise

    def _connect(self) -> None:
        assert self._process.stderr is not None
        address = _listening(self._process.stderr)
        # Firefox goes on talking; a full pipe would stop it in the middle of a test.
        self._drain = threading.Thread(target=_drain, args=[self._process.stderr], daemon=True)
        self._drain.start()
        self._socket = websocket.create_connection(
            f"{address}/session", timeout=30, suppress_origin=True
        )
        self.call("session.new", capabilities={})
        self.tab: str = self.call("browsingContext.create", type="tab")["context"]

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Send one BiDi command and return its result; events that come meanwhile are dropped."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv())
            if message.get("id") == number:
                break
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}: {message['message']}")
        result: dict[str, Any] = message["result"]
        return result

    @contextmanager
    def visitor(self) -> Generator[None]:
        """A new visitor: a tab of its own, without cookies or history, for as long as this runs."""
        before = self.tab
        person = self.call("browser.createUserContext")["userContext"]
        try:
            created = self.call("browsingContext.create", type="tab", userContext=person)
            self.tab = created["context"]
            yield
        finally:
            self.call("browser.removeUserContext", userContext=person)
            self.tab = before

    def goto(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def js(self, expression: str) -> Any:
        """The value of a JavaScript expression: a string, number, boolean or None."""
        answer = self.call(
            "script.evaluate",
            expression=expression,
            target={"context": self.tab},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def act(self, kind: str, *actions: Mapping[str, object]) -> None:
        """Perform native input: `kind` is "pointer" or "key", the actions are WebDriver's."""
        source = {"type": kind, "id": kind, "actions": list(actions)}
        self.call("input.performActions", context=self.tab, actions=[source])

    def click(self, selector: str, n: int = 1, *, gap: float = 0.0) -> None:
        """Click `n` times on an element, `gap` seconds apart, whatever the page does meanwhile."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        place = self.js(f"(b => `${{b.x + b.width / 2}} ${{b.y + b.height / 2}}`)({box})")
        x, y = (int(float(number)) for number in place.split())
        press: list[dict[str, object]] = [
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self.act("pointer", {"type": "pointerMove", "x": x, "y": y}, *press)
        for _ in range(n - 1):
            # Between two pages a click hits nobody; Firefox's driver calls that an error.
            with suppress(RuntimeError):
                self.act("pointer", {"type": "pause", "duration": int(gap * 1000)}, *press)

    def write(self, text: str) -> None:
        """Type into the element that has the focus."""
        keys = ({"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp"))
        self.act("key", *keys)

    def enter(self, n: int = 1) -> None:
        """Press Enter `n` times in the element that has the focus."""
        self.write(ENTER * n)

    def history(self, delta: int) -> None:
        """Back (-1) or Forward (1)."""
        self.call("browsingContext.traverseHistory", context=self.tab, delta=delta)

    def close(self) -> None:
        """End Firefox and remove its profile."""
        try:
            self.call("browser.close")
        finally:
            self._socket.close()
            self._end()

    def _end(self) -> None:
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            if hasattr(self, "_drain"):
                self._drain.join(10)
            self._process.stderr.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _listening(stderr: IO[str]) -> str:
    said: list[str] = []
    for line in stderr:
        said.append(line)
        if found := re.search(r"BiDi listening on (ws://\S+)", line):
            return found[1]
    raise RuntimeError(f"Firefox ended at its start: {''.join(said)[-2000:]}")


def _drain(stderr: IO[str]) -> None:
    for _ in stderr:
        pass
