"""How long a bad canary keeps its requests once a scrape has shown it; on a real cluster.

hack/bench rollback-latency                50 rollbacks behind a gateway, 3 Deployments at a time
hack/bench rollback-latency --router replicas --runs 10 --scrape-interval 2

Raises the cluster if there is none, installs Serinus and scrapes each second. The canary refuses
values that only live requests have. Measured from the scrape that closes
the first round of samples which the operator hadn't judged yet when it rolled back, to the moments
at which watches tell that the router gives the canary nothing, and that none of its endpoints is
ready. Clocks are those of the node and of this machine; where they differ, so do the figures.

The control is a write of a ConfigMap until its event is here.
"""

from __future__ import annotations

import argparse
import os
import queue
import threading
import time
from collections.abc import Sequence

from benchmarks.rollback_latency import figures, scene
from benchmarks.rollback_latency.cluster import ApiServer, Seen, api_server
from benchmarks.rollback_latency.observed import Rollout
from flights_demo.preparation import (
    assignments,
    loaded_images,
    raise_cluster,
    shown,
    started,
)
from serinus.rollout.weights import Router
from tests.cluster.conftest import install_chart
from tests.support.live_cluster import Namespace

BEFORE_GIVING_UP_SECONDS = 120
TO_DECISION, TO_UNREADY = "scrape to status", "scrape to no endpoint"
_CONTROL = f"/api/v1/namespaces/{scene.NAME}/configmaps"
_WATCHED = (
    "/apis/serinus.dev/v1alpha1/namespaces/{}/modeldeployments",
    "/api/v1/namespaces/{}/services",
    "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "/api/v1/namespaces/{}/configmaps",
)
_ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes"


class Measurements:
    """What all Deployments' rollouts gave so far."""

    def __init__(self, runs: int) -> None:
        self._left = runs
        self._lock = threading.Lock()
        self.spans: dict[str, list[float]] = {
            TO_DECISION: [],
            figures.TO_WEIGHT_ZERO: [],
            TO_UNREADY: [],
        }
        self.control: list[float] = []

    def takes_one(self) -> bool:
        """Whether a rollout is left to be played."""
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def add(self, rollout: Rollout, sufficed_at: float, control_seconds: float) -> None:
        """Add a rollout that is complete."""
        ends = (rollout.decided_at, rollout.weight_zero_at, rollout.unready_at)
        with self._lock:
            for values, end in zip(self.spans.values(), ends, strict=True):
                assert end is not None
                values.append(end - sufficed_at)
            self.control.append(control_seconds)
            spans = ", ".join(f"{what} {values[-1]:.3f}" for what, values in self.spans.items())
            print(f"{rollout.name} {len(self.control)}: {spans} s", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 0 when the targets are reached."""
    options = _parser().parse_args(arguments)
    raise_cluster()
    _install(options.scrape_interval, options.router)
    names = [f"points-{number + 1}" for number in range(options.at_once)]
    namespace = scene.set_up(names, options.scrape_interval, options.router)
    measured = Measurements(options.runs)
    with api_server() as server:
        workers = [
            threading.Thread(target=_play, args=(server, namespace, name, measured, options))
            for name in names
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    scene.remove()
    if len(measured.control) < options.runs:
        print(f"only {len(measured.control)} of {options.runs} rollouts could be measured")
        return 1
    print("\n".join(figures.lines(measured.spans, measured.control)))
    missed = figures.missed(measured.spans)
    print("missed: " + "; ".join(missed) if missed else "all targets reached")
    return bool(missed)


def _install(interval_seconds: int, router: Router) -> None:
    with started(["hack/images/build"]) as build:
        os.environ.update(loaded_images(build))
    if router is Router.GATEWAY_API:
        os.environ.update(assignments(shown(["hack/cluster", "gateway"])))
    install_chart(**{"prometheus.scrapeInterval": f"{interval_seconds}s"})


def _play(
    server: ApiServer,
    namespace: Namespace,
    name: str,
    measured: Measurements,
    options: argparse.Namespace,
) -> None:
    seen: queue.Queue[Seen] = queue.Queue()
    routes = (_ROUTES,) if options.router is Router.GATEWAY_API else ()
    for path in (*_WATCHED, *routes):
        server.watch(path.format(namespace.name), seen)
    while measured.takes_one():
        rollout = Rollout(name)
        scene.release(namespace, name)
        control = _followed(server, rollout, seen)
        assert rollout.action == "rollback", rollout
        sufficed_at = server.first_round_after(
            namespace.name, name, rollout.watermark_ms, options.scrape_interval
        )
        measured.add(rollout, sufficed_at, control)
        scene.wait_until_settled(namespace, name, rollout.revision)


def _followed(server: ApiServer, rollout: Rollout, seen: queue.Queue[Seen]) -> float:
    """Take in events until all of the rollout was seen; seconds that the control took meanwhile."""
    deadline = time.monotonic() + BEFORE_GIVING_UP_SECONDS
    mark, sent_at, control = "", 0.0, 0.0
    while not rollout.is_complete:
        try:
            event = seen.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise TimeoutError(f"not seen to its end in time: {rollout}") from None
        if event.body["kind"] == "ConfigMap":
            if mark and not control and event.body.get("data", {}).get("mark") == mark:
                control = event.at - sent_at
        else:
            rollout.take(event.body, event.at)
        if rollout.has_share and not mark:
            mark, sent_at = str(time.time_ns()), time.time()
            server.merge(f"{_CONTROL}/traffic-{rollout.name}", {"data": {"mark": mark}})
    return control


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hack/bench rollback-latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--router", type=Router, choices=list(Router), default=Router.GATEWAY_API)
    parser.add_argument("--runs", type=int, default=50, metavar="N")
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="Deployments")
    parser.add_argument(
        "--scrape-interval", type=int, default=1, metavar="SECONDS", help="whole seconds"
    )
    return parser
