"""Serves the bundled model on this machine, and lets clients send it pictures: how long it takes, and what it holds.

    python benchmarks/serving.py

Prints the time from a picture to its maps, for one client after the other and for twenty at once, and the memory of the
server after each round, which must not grow.
"""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import onnxviz

CLIENTS, ROUNDS = 20, 3
FIRST_SCREEN = "0,5,11,17,26,34"
EXPLANATION = ",50"


def main() -> None:
    command = [sys.executable, "-m", "onnxviz", "serve", str(onnxviz.bundled.classifier())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        picture = onnxviz.bundled.picture("coffee").read_bytes()
        send(address, picture)
        for name, layers in {"maps": FIRST_SCREEN, "with explanations": FIRST_SCREEN + EXPLANATION}.items():
            alone = [send(address, picture, layers) for _ in range(10)]
            print(f"one client, {name}: median {statistics.median(alone):.3f} s, worst {max(alone):.3f} s")
        for turn in range(ROUNDS):
            times = at_once(address, picture)
            words = f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s"
            print(f"{CLIENTS} clients, round {turn + 1}: {words}; server holds {held(server.pid):.0f} MiB")
        server.send_signal(signal.SIGINT)


def at_once(address: str, picture: bytes) -> list[float]:
    """Return the seconds of each client, each of which sends five pictures one after the other."""
    times: list[float] = []
    lock = threading.Lock()

    def client() -> None:
        for _ in range(5):
            seconds = send(address, picture)
            with lock:
                times.append(seconds)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 5 * CLIENTS, "a client was refused"
    return times


def send(address: str, picture: bytes, layers: str = FIRST_SCREEN + EXPLANATION) -> float:
    """Send a picture, and return the seconds until the maps of its layers are there."""
    parts = urlsplit(address)
    token = parse_qs(parts.query)["token"][0]
    target = f"{parts.scheme}://{parts.netloc}/update?token={token}&layers={layers}"
    begin = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(target, picture)) as answer:
        assert len(answer.read()) > 100_000
    return time.perf_counter() - begin


def held(process: int) -> float:
    """Return the memory that a process holds, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
