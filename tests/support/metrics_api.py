"""metrics.k8s.io, as far as an autoscaler asks: CPU of pods, from a load that a ConfigMap gives.

Runs in a pod. The load is split evenly between the pods that the Service has as endpoints, so each
pod's number follows from what really gets requests. Arguments: namespace, Service.
"""

import json
import ssl
import sys
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FILES = Path("/data")
GROUP = "metrics.k8s.io/v1beta1"
NAMESPACE, SERVICE = sys.argv[1:3]


def read(path: str) -> dict:
    token = (ACCOUNT / "token").read_text()
    request = urllib.request.Request(
        f"https://kubernetes.default.svc{path}", headers={"Authorization": f"Bearer {token}"}
    )
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, context=trust, timeout=5) as answer:
        return json.load(answer)


def endpoints() -> set[str]:
    """Names of the pods that get requests."""
    selector = urllib.parse.quote(f"kubernetes.io/service-name={SERVICE}")
    path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
    return {
        one["targetRef"]["name"]
        for part in read(f"{path}?labelSelector={selector}")["items"]
        for one in part.get("endpoints") or ()
        if one.get("conditions", {}).get("ready")
    }


def pod_metrics(selector: str) -> dict:
    core = f"/api/v1/namespaces/{NAMESPACE}"
    load = int(read(f"{core}/configmaps/load")["data"]["millicores"])
    pods = read(f"{core}/pods?labelSelector={urllib.parse.quote(selector)}")["items"]
    serving = endpoints()
    return {
        "kind": "PodMetricsList",
        "apiVersion": GROUP,
        "metadata": {},
        "items": [_of(pod, load // max(len(serving), 1), serving) for pod in pods],
    }


def _of(pod: dict, millicores: int, serving: set[str]) -> dict:
    name = pod["metadata"]["name"]
    used = millicores if name in serving else 0
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": pod["metadata"]["labels"]},
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "window": "5s",
        "containers": [
            {"name": one["name"], "usage": {"cpu": f"{used}m", "memory": "64Mi"}}
            for one in pod["spec"]["containers"]
        ],
    }


RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": GROUP,
    "resources": [
        {
            "name": "pods",
            "singularName": "",
            "namespaced": True,
            "kind": "PodMetrics",
            "verbs": ["get", "list"],
        }
    ],
}


class Answer(BaseHTTPRequestHandler):
    """GET only, which is all that an autoscaler does."""

    def do_GET(self) -> None:
        asked = urllib.parse.urlsplit(self.path)
        if asked.path == f"/apis/{GROUP}":
            self._send(200, RESOURCES)
        elif asked.path == f"/apis/{GROUP}/namespaces/{NAMESPACE}/pods":
            query = urllib.parse.parse_qs(asked.query)
            self._send(200, pod_metrics(query.get("labelSelector", [""])[0]))
        else:
            self._send(404, {"kind": "Status", "apiVersion": "v1", "code": 404})

    def _send(self, code: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("0.0.0.0", 8443), Answer)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(FILES / "tls.crt", FILES / "tls.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
