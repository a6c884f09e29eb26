"""Volumes for claims of the cluster's default StorageClass: a folder of the node each.

Runs as a process of its own, from a copy of this file: it imports nothing of the package. What to
do is decided from a full list each time; watches only tell that it is time to look again, so that
a lost event costs seconds and never a volume.

    python volume_provisioner.py --config FILE

FILE is JSON: {server, authority, certificate, key, folder, node, provisioner}
"""

import argparse
import http.client
import json
import logging
import shutil
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
PROVISIONER_ANNOTATION = "volume.kubernetes.io/storage-provisioner"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
HOST_LABEL = "kubernetes.io/hostname"
LOOK_AGAIN_SECONDS = 30.0
WATCH_SECONDS = 300
RETRY_SECONDS = 1.0

log = logging.getLogger("volume-provisioner")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the API server, the volumes and this node are."""

    server: str
    authority: str
    certificate: str
    key: str
    folder: str
    node: str
    provisioner: str


def claims_to_fill(
    claims: Iterable[dict[str, Any]], volumes: Iterable[dict[str, Any]], provisioner: str
) -> list[dict[str, Any]]:
    """Claims that wait for a volume of ours.

    The annotation is set by Kubernetes once it is time: where the class waits for a first consumer,
    only when a pod that uses the claim has a node.
    """
    existing = {volume["metadata"]["name"] for volume in volumes}
    return [
        claim
        for claim in claims
        if claim["metadata"].get("annotations", {}).get(PROVISIONER_ANNOTATION) == provisioner
        and not claim["spec"].get("volumeName")
        and "deletionTimestamp" not in claim["metadata"]
        and volume_name(claim) not in existing
    ]


def volumes_to_delete(volumes: Iterable[dict[str, Any]], provisioner: str) -> list[dict[str, Any]]:
    """Volumes of ours whose claim is gone, and that aren't to be retained."""
    return [
        volume
        for volume in volumes
        if volume["metadata"].get("annotations", {}).get(PROVISIONED_BY) == provisioner
        and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
        and volume.get("status", {}).get("phase") == "Released"
        and "deletionTimestamp" not in volume["metadata"]
    ]


def volume_name(claim: dict[str, Any]) -> str:
    """One claim, one name: a second try can't make a second volume."""
    return f"pvc-{claim['metadata']['uid']}"


def volume_for(claim: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The PersistentVolume of a claim. Type `local`, so that the kubelet honours fsGroup."""
    metadata, spec = claim["metadata"], claim["spec"]
    on_this_node = {"key": HOST_LABEL, "operator": "In", "values": [settings.node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume_name(claim),
            "annotations": {PROVISIONED_BY: settings.provisioner},
        },
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": "Filesystem",
            "storageClassName": spec.get("storageClassName", ""),
            "persistentVolumeReclaimPolicy": "Delete",
            "local": {"path": str(folder_of(volume_name(claim), settings))},
            "nodeAffinity": {
                "required": {"nodeSelectorTerms": [{"matchExpressions": [on_this_node]}]}
            },
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
        },
    }


def folder_of(volume: str, settings: Settings) -> Path:
    return Path(settings.folder) / volume


class Api:
    """The few requests that are needed."""

    def __init__(self, settings: Settings) -> None:
        self._address = urlsplit(settings.server).netloc
        self._tls = ssl.create_default_context(cafile=settings.authority)
        self._tls.load_cert_chain(settings.certificate, settings.key)

    def list(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._request("GET", path)["items"]
        return items

    def create(self, path: str, body: dict[str, Any]) -> None:
        self._request("POST", path, body, fine=(http.HTTPStatus.CONFLICT,))

    def delete(self, path: str) -> None:
        self._request("DELETE", path, fine=(http.HTTPStatus.NOT_FOUND,))

    def watch(self, path: str) -> Iterator[None]:
        """Yield once for each change, until the server ends the watch."""
        connection = self._connect(timeout=WATCH_SECONDS + 30)
        try:
            connection.request("GET", f"{path}?watch=true&timeoutSeconds={WATCH_SECONDS}")
            response = connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                raise OSError(f"watch of {path}: {response.status} {response.reason}")
            while response.readline():
                yield
        finally:
            connection.close()

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address, context=self._tls, timeout=timeout)

    def _request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        fine: tuple[int, ...] = (),
    ) -> dict[str, Any]:
        connection = self._connect(timeout=10)
        try:
            headers = {"Content-Type": "application/json", "User-Agent": "volume-provisioner"}
            payload = json.dumps(body) if body is not None else None
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status >= http.HTTPStatus.BAD_REQUEST and response.status not in fine:
            raise OSError(f"{method} {path}: {response.status} {answer.get('message')}")
        return answer


def one_pass(api: Api, settings: Settings) -> None:
    """Give each waiting claim its volume; take away volumes whose claim is gone."""
    claims, volumes = api.list(CLAIMS), api.list(VOLUMES)
    for claim in claims_to_fill(claims, volumes, settings.provisioner):
        folder = folder_of(volume_name(claim), settings)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)  # containers run as any user; mkdir's mode is subject to the umask
        api.create(VOLUMES, volume_for(claim, settings))
        log.info("made %s for %s", folder.name, claim["metadata"]["name"])
    for volume in volumes_to_delete(volumes, settings.provisioner):
        name = volume["metadata"]["name"]
        shutil.rmtree(folder_of(name, settings), ignore_errors=True)
        api.delete(f"{VOLUMES}/{name}")
        log.info("deleted %s", name)


def keep_watching(api: Api, path: str, changed: threading.Event) -> None:
    """Set `changed` whenever something changes; never ends."""
    while True:
        try:
            for _ in api.watch(path):
                changed.set()
        except (OSError, http.client.HTTPException) as error:
            log.warning("watch of %s was cut: %s", path, error)
            time.sleep(RETRY_SECONDS)
        changed.set()


def serve(settings: Settings) -> None:
    """Look after volumes for ever."""
    api, changed = Api(settings), threading.Event()
    for path in (CLAIMS, VOLUMES):
        threading.Thread(target=keep_watching, args=(api, path, changed), daemon=True).start()
    while True:
        changed.clear()
        try:
            one_pass(api, settings)
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.warning("will try again: %s", error)
            time.sleep(RETRY_SECONDS)
        else:
            changed.wait(LOOK_AGAIN_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make and delete local volumes.")
    parser.add_argument("--config", type=Path, required=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    serve(Settings(**json.loads(parser.parse_args().config.read_text())))


if __name__ == "__main__":
    main()
