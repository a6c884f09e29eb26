"""A Prometheus of one test, which scrapes servers on loopback as if they were pods."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import yaml

from tests.support.api_server import folder_with

NAMESPACE = "flights"


@contextmanager
def scraping(folder: Path, ports: dict[str, int]) -> Iterator[str]:
    """The address of a Prometheus that scrapes these pods, by their names."""
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": NAMESPACE, "pod": name}}
        for name, port in ports.items()
    ]
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
        "scrape_configs": [{"job_name": "pods", "static_configs": targets}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                folder_with("prometheus") / "prometheus",
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:0",
            ],
            stderr=output,
        )
    try:
        yield listening(log)
    finally:
        process.terminate()
        process.wait(20)


def listening(log: Path) -> str:
    """Where it listens, once it says so and answers."""
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while datetime.now(UTC) < deadline:
        for line in log.read_text().splitlines():
            if "Listening on" in line:
                url = f"http://{line.rpartition('address=')[2].strip()}"
                with suppress(httpx.TransportError):
                    if httpx.get(f"{url}/-/ready").status_code == httpx.codes.OK:
                        return url
        time.sleep(0.1)
    raise AssertionError(f"Prometheus doesn't listen: {log.read_text()}")
