"""Debian packages that the native cluster needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from native_cluster import layout
from native_cluster.commands import run
from native_cluster.terminal import ClusterError, phase

PROGRAM_PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "openssl": "openssl",
    "mount": "mount",
}
CNI_PACKAGE = "containernetworking-plugins"
_INSTALL_TIMEOUT_SECONDS = 900
_SERVICE_POLICY = Path("/usr/sbin/policy-rc.d")
_SERVICES_STAY_OFF = (
    "#!/bin/sh\n# hack/cluster: no service is started while it installs packages\nexit 101\n"
)


def missing_packages() -> list[str]:
    """Packages whose programs aren't there."""
    missing = sorted(
        {package for program, package in PROGRAM_PACKAGES.items() if not shutil.which(program)}
    )
    if not (layout.CNI_PLUGINS / "bridge").exists():
        missing.append(CNI_PACKAGE)
    return missing


def ensure() -> None:
    """Install what is missing.

    Raises
    ------
    ClusterError
        If there is no apt-get, or it fails; the message lists the packages.
    """
    if missing := missing_packages():
        install(*missing)


def install(*packages: str) -> None:
    """Install packages, and start no service of theirs.

    Raises
    ------
    ClusterError
        If there is no apt-get, or it fails; the message lists the packages.
    """
    if shutil.which("apt-get") is None:
        raise ClusterError("packages", f"install {', '.join(packages)} and try again")
    apt_get = ["flock", str(layout.PACKAGES_LOCK_FILE), "apt-get"]
    options = ["-y", "-q", "-o", "DPkg::Lock::Timeout=600", "--no-install-recommends"]
    env = {"DEBIAN_FRONTEND": "noninteractive", "PATH": os.environ["PATH"]}
    with phase(f"installing {', '.join(packages)}"), _services_stay_off():
        run(
            "apt-get update",
            [*apt_get, "-q", "-o", "DPkg::Lock::Timeout=600", "update"],
            timeout_seconds=_INSTALL_TIMEOUT_SECONDS,
        )
        run(
            "apt-get install",
            [*apt_get, "install", *options, *packages],
            env=env,
            timeout_seconds=_INSTALL_TIMEOUT_SECONDS,
        )


@contextmanager
def _services_stay_off() -> Iterator[None]:
    """Keep Debian from starting the machine's containerd: the cluster runs one of its own."""
    if _is_policy_of_the_machine():
        yield
        return
    _SERVICE_POLICY.write_text(_SERVICES_STAY_OFF)
    _SERVICE_POLICY.chmod(0o755)
    try:
        yield
    finally:
        _SERVICE_POLICY.unlink(missing_ok=True)


def _is_policy_of_the_machine() -> bool:
    """Whether there is a policy that a killed `up` didn't leave behind."""
    try:
        return _SERVICE_POLICY.read_text() != _SERVICES_STAY_OFF
    except FileNotFoundError:
        return False
