"""A headless Chromium, spoken to over the pipes that it calls the DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "chrome")

KEYS = {"Tab": 9, " ": 32, "PageUp": 33, "End": 35, "Home": 36}
KEYS |= {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Browser:
    """One tab.

    Attributes:
        problems: what the pages complained of: exceptions, what a policy refused, what could not be loaded.
        requests: addresses that were asked for, but for those of the form `data:`.
    """

    def __init__(self, to: int, from_: int) -> None:
        self._to, self._from = os.fdopen(to, "wb", buffering=0), os.fdopen(from_, "rb", buffering=0)
        self._buffer = b""
        self._count = 0
        self._session: str | None = None
        self.problems: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            self._note(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, page: Path | str) -> None:
        """Load a page by its path or address, and wait until it is there."""
        self.problems.clear()
        self.requests.clear()
        self.call("Page.navigate", url=page.as_uri() if isinstance(page, Path) else page)
        self.wait("document.readyState == 'complete'")

    def get(self, expression: str) -> Any:
        """The value of an expression in the page, awaited."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        for _ in range(200):
            if self.get(condition):
                return
            time.sleep(0.05)
        raise AssertionError(f"never true: {condition}")

    def press(self, key: str) -> None:
        """Press a key: one of `KEYS`, or a character."""
        code = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, 0), "code": "Space" if key == " " else key}
        text = "\r" if key == "Enter" else key if len(key) == 1 else None
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def type(self, text: str) -> None:
        """Press a key for each character."""
        for character in text:
            self.press(character)

    def look(self, width: int, dark: bool, height: int = 900) -> None:
        """Be so wide and high, and light or dark."""
        size = {"width": width, "height": height}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        """Of the whole page, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = self._from.read(1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event["method"] == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"]))
        elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(str(params["entry"]))
        elif event["method"] == "Network.requestWillBeSent":
            url = params["request"]["url"]
            self.requests += [] if url.startswith("data:") else [url]


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start one that may play sound unasked; skip the test where none is found."""
    command = next(filter(None, map(shutil.which, COMMANDS)), None)
    if os.name != "posix" or command is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    theirs, to = os.pipe()
    from_, back = os.pipe()
    options = (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"),
        *("--no-first-run", "--disable-extensions", "--hide-scrollbars", "--disable-background-networking"),
        *("--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe"),
        f"--user-data-dir={profile}",
    )

    def redirect() -> None:
        """The descriptors where a browser expects them, which may be those of the pipes already."""
        for place, descriptor in [(3, os.dup(theirs)), (4, os.dup(back))]:
            os.dup2(descriptor, place)

    process = subprocess.Popen(
        [command, *options],
        preexec_fn=redirect,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.close(back)
    try:
        browser = Browser(to, from_)
        yield browser
        browser._session = None
        browser.call("Browser.close")
        process.wait(20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def browsing(library: Path, profile: Path) -> Iterator[tuple[Browser, str]]:
    """A browser, and the address of the page over a library that `autotag browse` serves meanwhile."""
    command = [sys.executable, "-m", "autotag", "browse", str(library)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout
        address = served.stdout.readline().strip()
        try:
            with chromium(profile) as browser:
                yield browser, address
        finally:
            served.terminate()
