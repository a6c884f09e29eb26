"""Everything before the first scene: cluster, images, data, Serinus, namespace, each timed."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from flights_demo import data, objects
from flights_demo.cluster import apply, kubectl
from flights_demo.commands import ROOT, DemoError, run

Result = TypeVar("Result")

RELEASE, RELEASE_NAMESPACE = "serinus", "serinus-system"
SCRAPE_INTERVAL = "2s"
# What somebody set by hand in the meantime is set back: the demo needs what it was made for.
_HELM_OPTIONS = ("--reset-values", "--force-conflicts")
_UNPACK = """
import sys, tarfile
tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall("/data")
"""


class Phases:
    """Runs phases and tells how long each took."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def run(self, what: str, work: Callable[[], Result]) -> Result:
        """Do the work of a phase."""
        self._console.print(f"==> {what}", markup=False)
        started = time.monotonic()
        result = work()
        self._console.print(f"    {what}: {time.monotonic() - started:.0f} s", markup=False)
        return result


def prepared(phases: Phases) -> Mapping[str, str]:
    """Prepare all; the names of the images by variable."""
    # The one compiles, the other mostly downloads and unpacks: together they take less time.
    with started(["hack/images/build"]) as build:
        phases.run("cluster", raise_cluster)
        images = phases.run("images", lambda: loaded_images(build))
    files = phases.run("data", data.prepared_folder)
    phases.run("Serinus", lambda: install(images))
    phases.run("namespace", lambda: make_namespace(images["SERINUS_SERVER_IMAGE"], files))
    return images


def raise_cluster() -> None:
    """A cluster, and how to reach it in this process' environment."""
    shown(["hack/cluster", "up"])
    os.environ.update(assignments(run(["hack/cluster", "env"])))


def assignments(text: str) -> dict[str, str]:
    """Variables of lines of shell: `NAME=VALUE`, with or without `export`."""
    words = [word for word in shlex.split(text) if word != "export"]
    return dict(word.split("=", 1) for word in words)


def loaded_images(build: subprocess.Popen[bytes]) -> dict[str, str]:
    """Wait for the build of what changed, and give it to the cluster's nodes."""
    images = assignments(output_of(build))
    archives = [value for name, value in images.items() if name.endswith("_ARCHIVE")]
    shown(["hack/cluster", "load", *archives])
    return images


def install(images: Mapping[str, str]) -> None:
    """Install or upgrade Serinus with its chart, and wait until it is ready."""
    values = {
        "image.operator": images["SERINUS_OPERATOR_IMAGE"],
        "image.jobs": images["SERINUS_JOBS_IMAGE"],
        "image.server": images["SERINUS_SERVER_IMAGE"],
        "prometheus.scrapeInterval": SCRAPE_INTERVAL,
    }
    if os.environ.get("SERINUS_PROMETHEUS_IMAGE"):
        values["prometheus.image"] = os.environ["SERINUS_PROMETHEUS_IMAGE"]
    settings = [word for item in values.items() for word in ("--set", "=".join(item))]
    release = [RELEASE, "charts/serinus", "-n", RELEASE_NAMESPACE, "--create-namespace"]
    run(["helm", "upgrade", "--install", *release, *_HELM_OPTIONS, *settings])
    there = ("-n", RELEASE_NAMESPACE)
    for deployment in kubectl(*there, "get", "deployments", "-o", "name").split():
        kubectl(*there, "rollout", "status", deployment, "--timeout=120s")


def make_namespace(image: str, files: Path) -> None:
    """A fresh namespace with the data served in it."""
    remove_namespace()
    namespace = objects.namespace()
    run(["kubectl", "apply", "-f", "-"], stdin=json.dumps(namespace).encode())
    apply(objects.file_server(image))
    kubectl(
        *_IN_NAMESPACE, "wait", "--for=jsonpath={.status.phase}=Running", _DATA, "--timeout=60s"
    )
    unpack = ["exec", "-i", objects.DATA_POD, "--", "python", "-c", _UNPACK]
    kubectl(*_IN_NAMESPACE, *unpack, stdin=archive(files))
    kubectl(*_IN_NAMESPACE, "wait", "--for=condition=Ready", _DATA, "--timeout=60s")


_IN_NAMESPACE = ("-n", objects.NAMESPACE)
_DATA = f"pod/{objects.DATA_POD}"


def archive(files: Path) -> bytes:
    """A tar of the data; its last member says that it is complete."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in data.FILES:
            tar.add(files / name, arcname=name)
        tar.addfile(tarfile.TarInfo("complete"))
    return buffer.getvalue()


def remove_namespace() -> None:
    """End what an earlier demo left.

    Callers go first and volumes last. A namespace that is deleted with pods in it looks at them
    again only after half a minute.
    """
    if not kubectl("get", "namespace", objects.NAMESPACE, "--ignore-not-found", "-o", "name"):
        return
    for what in (["pods", "-l", "app=callers"], ["modeldeployments", "--all"]):
        kubectl(*_IN_NAMESPACE, "delete", *what, "--ignore-not-found")
    served = ["-l", "serinus.dev/revision"]
    kubectl(*_IN_NAMESPACE, "wait", "--for=delete", "pods", *served, "--timeout=60s")
    kubectl(*_IN_NAMESPACE, "delete", "jobs,pods,persistentvolumeclaims", "--all")
    kubectl("delete", "namespace", objects.NAMESPACE, "--timeout=120s")


def remove_all() -> None:
    """End the namespace, Serinus and, if the demo raised it, the cluster."""
    os.environ.update(assignments(run(["hack/cluster", "env"])))
    if reachable():
        remove_namespace()
        run(["helm", "uninstall", RELEASE, "-n", RELEASE_NAMESPACE, "--ignore-not-found", "--wait"])
        kubectl("delete", "namespace", RELEASE_NAMESPACE, "--ignore-not-found", "--timeout=120s")
        kubectl("delete", "-f", "crds", "--ignore-not-found", "--timeout=60s")
    shown(["hack/cluster", "down"])


def reachable() -> bool:
    """Whether the cluster answers."""
    try:
        kubectl("get", "--raw=/readyz", "--request-timeout=5s", timeout_seconds=10)
    except DemoError:
        return False
    return True


def shown(command: list[str]) -> str:
    """Output of a program that shows its progress itself; raises `DemoError`."""
    with started(command) as process:
        return output_of(process)


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that shows its progress itself; it is ended when nobody waits for it any more."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def output_of(process: subprocess.Popen[bytes]) -> str:
    """What it printed, once it has ended; raises `DemoError` if it failed."""
    output, _ = process.communicate()
    if process.returncode:
        assert isinstance(process.args, list)
        raise DemoError(f"{shlex.join(process.args)} failed; see above")
    return output.decode()
