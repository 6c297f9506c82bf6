"""A page in Chromium, driven through its debugging pipe by the standard library alone."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import time

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """A tab.

    Args:
        into, out: descriptors of the pipe: messages are JSON, each with a zero byte behind it.
    """

    def __init__(self, into, out):
        self._into, self._out, self._rest, self._number = into, out, b"", 0
        self.events = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        self._session = self._call("Target.attachToTarget", targetId=target,
                                   flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        return self._call(method, **parameters)

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def _read(self, seconds=30):
        end = time.monotonic() + seconds
        while b"\0" not in self._rest:
            left = max(0, end - time.monotonic())
            assert select.select([self._out], [], [], left)[0], "no answer"
            self._rest += os.read(self._out, 1 << 16)
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def evaluate(self, expression):
        """Returns what an expression of JavaScript is."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                         awaitPromise=True)["result"].get("value")

    def wait_for(self, expression, seconds=20):
        """Returns the expression's value as soon as it is something."""
        end = time.monotonic() + seconds
        while not (found := self.evaluate(expression)):
            assert time.monotonic() < end, f"waited in vain for {expression}"
            time.sleep(0.05)
        return found


@contextlib.contextmanager
def opened(folder):
    """Gives a tab of a browser of its own, whose files lie in the folder."""
    command = [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-background-networking", "--remote-debugging-pipe",
               f"--user-data-dir={folder}"]
    to_read, into = os.pipe()
    out, to_write = os.pipe()
    browser = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", *command],
        pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(to_read)
    os.close(to_write)
    try:
        yield Page(into, out)
    finally:
        browser.kill()
        browser.wait(20)
        os.close(into)
        os.close(out)
