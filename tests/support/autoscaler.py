"""The HorizontalPodAutoscaler's rule, for worlds in miniature; without its patience.

pods = ceil(pods * load / target) beyond a tolerance of a tenth, within the limits, from whatever
load there is at the moment: it shrinks at once where the real one would wait for five minutes.
"""

import math
from typing import Any

TOLERANCE = 0.1
TARGET_PERCENT = 50


def autoscaled(autoscaler: dict[str, Any], workload: dict[str, Any], load_ratio: float) -> None:
    """Look at the load of a pod over its target; say what was seen, and scale."""
    spec, pods = autoscaler["spec"], workload["spec"]["replicas"]
    percent = round(load_ratio * TARGET_PERCENT)
    current = {"name": "cpu", "current": {"averageUtilization": percent}}
    autoscaler["status"] = {"currentMetrics": [{"type": "Resource", "resource": current}]}
    if pods == 0:
        return
    wanted = pods
    if abs(load_ratio - 1) > TOLERANCE:
        wanted = math.ceil(pods * load_ratio)
    wanted = min(max(wanted, spec["minReplicas"]), spec["maxReplicas"])
    if wanted != pods:
        workload["spec"]["replicas"] = wanted
        workload["metadata"]["generation"] += 1


def by_cpu(low: int, high: int) -> dict[str, Any]:
    """The block `autoscaling` of a spec."""
    target = {"type": "Utilization", "averageUtilization": TARGET_PERCENT}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    return {"minReplicas": low, "maxReplicas": high, "metrics": [metric]}
