"""Headless Chromium on a page from the disk, spoken to through a pipe (Chrome DevTools Protocol)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers import programs

_AXE = "axe-core@4.14.1"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-pipe",
)


class Page:
    """A page that is open: what it asked for, what it complained about, and what scripts say."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._held, self._last, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command, and its answer."""
        self._last += 1
        said = {"id": self._last, "method": method, "params": parameters} | (
            {"sessionId": self._session} if self._session else {}
        )
        os.write(self._commands, json.dumps(said).encode() + b"\0")
        while (answer := self._next()).get("id") != self._last:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            more = os.read(self._answers, 1 << 20)
            assert more, "the browser has gone"
            self._held += more
        message, _, self._held = self._held.partition(b"\0")
        return json.loads(message)

    def wait(self, method: str) -> dict[str, Any]:
        """The next event of this kind."""
        while True:
            self.events.append(event := self._next())
            if event.get("method") == method:
                return event["params"]

    def open(self, path: Path, fragment: str = "") -> None:
        """Load a page and wait until it stands."""
        self.call("Page.navigate", url="about:blank")
        self.wait("Page.loadEventFired")
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri() + fragment)
        self.wait("Page.loadEventFired")

    def ask(self, script: str) -> Any:
        """What an expression gives, as JSON."""
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def key(self, name: str) -> None:
        """Press and release a key."""
        text = {"text": name} if len(name) == 1 else {"text": "\r"} if name == "Enter" else {}
        code = {"Enter": 13, "Tab": 9, "ArrowRight": 39, "ArrowDown": 40, "End": 35, "Home": 36}.get(name, 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)

    def requests(self) -> list[str]:
        """Addresses that were asked for."""
        return [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]

    def complaints(self) -> list[Any]:
        """Errors and warnings: of the console, of the browser, and exceptions."""
        kinds = {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}
        return [event["params"] for event in self.events if event.get("method") in kinds]

    def size(self, width: int, height: int, *, dark: bool = False, scale: float = 1) -> None:
        """Be a screen of this size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self) -> bytes:
        """What is on the screen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser with a profile in a folder."""
    to_browser, commands = os.pipe()
    answers, from_browser = os.pipe()
    # The browser reads from its descriptor 3 and writes to 4.
    line = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
    program = shutil.which("chromium") or "chromium"
    process = subprocess.Popen(
        ["bash", "-c", line, program, *_FLAGS, f"--user-data-dir={folder / 'profile'}"],
        pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Page(commands, answers)
    finally:
        os.close(commands)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(answers)


def axe_core(folder: Path) -> str:
    """The script of axe-core, brought from npm into a folder."""
    done = subprocess.run(["npm", "pack", "--silent", _AXE], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    files = list(folder.glob("axe-core-*.tgz"))
    if done.returncode or not files:
        why = f"npm pack {_AXE} did not bring it"
        pytest.fail(why) if programs.required() else pytest.skip(why)
    with tarfile.open(files[0]) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()
