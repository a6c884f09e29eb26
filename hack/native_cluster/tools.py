"""Programs built from the Go modules below `hack/tools`, cached outside the checkout.

A cache entry is keyed by all that the binary depends on: the module's files, the build flags and
Go's version. Modules are apart because their dependencies disagree.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from native_cluster import layout
from native_cluster.commands import run
from native_cluster.terminal import ClusterError, say

KUBERNETES_VERSION = "v1.36.3"
BUILD_TIMEOUT_SECONDS = 1800


@dataclass(frozen=True)
class ToolModule:
    """A Go module and the programs that it gives."""

    name: str
    packages: tuple[str, ...]
    ldflags: str = "-s -w"
    tags: str = ""
    binary: str | None = None
    """Name of the only program, where its package's name isn't it."""

    @property
    def folder(self) -> Path:
        """Where the module is."""
        return layout.TOOL_MODULES / self.name

    @property
    def binaries(self) -> tuple[str, ...]:
        """Names of the programs."""
        if self.binary:
            return (self.binary,)
        return tuple(package.rpartition("/")[2] for package in self.packages)


_VERSION_VARIABLE = "k8s.io/component-base/version"
KUBERNETES = ToolModule(
    "kubernetes",
    tuple(
        f"k8s.io/kubernetes/cmd/{program}"
        for program in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    ),
    ldflags=(
        f"-s -w -X {_VERSION_VARIABLE}.gitVersion={KUBERNETES_VERSION}"
        f" -X {_VERSION_VARIABLE}.gitMajor=1"
        f" -X {_VERSION_VARIABLE}.gitMinor={KUBERNETES_VERSION.split('.')[1]}"
        f" -X {_VERSION_VARIABLE}.gitTreeState=clean"
    ),
)
ETCD = ToolModule("etcd", ("go.etcd.io/etcd/server/v3",), binary="etcd")
HELM = ToolModule("helm", ("helm.sh/helm/v4/cmd/helm",))
COREDNS = ToolModule("coredns", (".",), binary="coredns")
PAUSE = ToolModule("pause", (".",), binary="pause")
PROMETHEUS = ToolModule(
    "prometheus",
    ("github.com/prometheus/prometheus/cmd/prometheus",),
    tags="netgo,remove_all_sd,enable_kubernetes_sd",
)
KUBECONFORM = ToolModule("kubeconform", ("github.com/yannh/kubeconform/cmd/kubeconform",))

CLUSTER_MODULES = (KUBERNETES, ETCD, COREDNS, PAUSE, HELM, PROMETHEUS)
CLIENT_MODULES = (HELM,)
TEST_MODULES = (KUBERNETES, ETCD, HELM, KUBECONFORM)


def cache_key(module: ToolModule, go_version: str) -> str:
    """Hash of all that the module's programs depend on, 16 hex digits."""
    parts = [module.ldflags, module.tags, *module.packages, go_version]
    digest = hashlib.sha256("\0".join(parts).encode())
    for path in sorted(module.folder.rglob("*")):
        if path.is_file():
            digest.update(f"\0{path.relative_to(module.folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def folder_of(module: ToolModule) -> Path:
    """Cache folder of the module's programs."""
    go_version = os.environ.get("GOTOOLCHAIN", "") + _go_version()
    return layout.CACHE / "tools" / f"{module.name}-{cache_key(module, go_version)}"


def path_of(module: ToolModule, binary: str | None = None) -> Path:
    """Path of one program of the module."""
    return folder_of(module) / (binary or module.binaries[0])


_GO_VERSION: list[str] = []


def _go_version() -> str:
    if not _GO_VERSION:
        _GO_VERSION.append(run("go", ["go", "env", "GOVERSION"]).strip())
    return _GO_VERSION[0]


def ensure(modules: tuple[ToolModule, ...]) -> None:
    """Build what isn't in the cache yet, telling how long each took.

    Raises
    ------
    ClusterError
        If a build fails; the message names the module.
    """
    if shutil.which("go") is None:
        raise ClusterError("go", "not installed; the cluster's programs are built with Go 1.26")
    for module in modules:
        if not folder_of(module).is_dir():
            _build(module)


def _build(module: ToolModule) -> None:
    target = folder_of(module)
    target.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    say(f"  building {', '.join(module.binaries)} …")
    log = layout.CACHE / "tools" / f"{module.name}.log"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as scratch:
        output = Path(scratch) / "out"
        output.mkdir()
        command = ["go", "build", "-mod=readonly", "-trimpath", "-ldflags", module.ldflags]
        if module.tags:
            command += ["-tags", module.tags]
        destination = str(output / module.binary) if module.binary else f"{output}/"
        _run_build([*command, "-o", destination, *module.packages], module, log)
        output.rename(target)
    say(f"  building {', '.join(module.binaries)}: {time.monotonic() - started:.0f} s")


def _run_build(command: list[str], module: ToolModule, log: Path) -> None:
    env = {**os.environ, "CGO_ENABLED": "0"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=module.folder,
            env=env,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
        started = time.monotonic()
        while True:
            try:
                process.wait(timeout=30)
                break
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - started
                say(f"    still building {module.name}, {elapsed:.0f} s")
                if elapsed > BUILD_TIMEOUT_SECONDS:
                    process.kill()
                    process.wait()
    if process.returncode:
        raise ClusterError(f"build of {module.name}", "failed", log)
