"""What a real API server takes and refuses, and what it says: each rule with an example.

A rule of a CustomResourceDefinition without an example here fails a test.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from serinus.api.enums import PLURALS, Kind
from serinus.api.schema_model import API_VERSION
from serinus.api.structural_schema import DEFINITIONS, Schema, object_schema
from tests.support.api_server import Answer, ApiServer
from tests.support.run_world import FEATURE_SET_SPEC, MODEL_VERSION_SPEC, TRAINING_JOB_SPEC

FS, TJ, MV, MD = Kind.FEATURE_SET, Kind.TRAINING_JOB, Kind.MODEL_VERSION, Kind.DEPLOYMENT
SPECS: dict[Kind, dict[str, Any]] = {
    FS: FEATURE_SET_SPEC,
    TJ: TRAINING_JOB_SPEC,
    MV: MODEL_VERSION_SPEC,
    MD: {"model": {"versionRef": {"name": "delay-1"}}},
}
SOURCE = FEATURE_SET_SPEC["sources"][0]
TAILNUM = {"name": "tailnum", "type": "string"}
PRIVATE = {**TAILNUM, "sensitivity": "pseudonymize"}
PRIVACY = {"name": "privacy", "key": "hash"}
RATE = {"name": "errors", "template": "error-rate", "compareTo": "stable"}
CONTAINER = {"image": "iris:1", "port": 3000, "probes": {"readyPath": "/readyz"}}
ONLINE = {
    "online": {"maxStaleness": "26h"},
    "timestampField": "at",
    "entities": [{"name": "carrier", "type": "string"}, {"name": "flight", "type": "int32"}],
}
SCALAR = {"name": "queue", "prometheus": {"query": "max(queue_depth)"}, "max": "100"}


def on_missing(**policy: str) -> dict[str, Any]:
    return {"features": [{**TAILNUM, "onMissing": policy}]}


def private(**fields: Any) -> dict[str, Any]:
    return {"features": [{**PRIVATE, **fields}], "pseudonymizationKeySecretRef": PRIVACY}


PASSWORD = {"name": "cache", "key": "password"}


def on_server(**redis: Any) -> dict[str, Any]:
    """A FeatureSet with its newest values on a server."""
    return {**ONLINE, "online": {"maxStaleness": "26h", "redis": redis}}


def online_features(*names: str) -> dict[str, Any]:
    return {"onlineFeatures": [{"featureSetRef": {"name": name}} for name in names]}


VALUE_SCORES = (
    {"score": "absoluteError", "bound": "60"},
    {"score": "squaredError", "bound": "3600.5"},
    {"score": "pinball", "bound": "60", "quantile": "0.9"},
)


def feedback(*scores: dict[str, str], **fields: str) -> dict[str, Any]:
    given = {"scores": list(scores)} if scores else {}
    return {"server": {"feedback": {**fields, **given}}}


def loss(score: str) -> dict[str, Any]:
    return {**RATE, "name": score.lower(), "template": "prediction-loss", "score": score}


def metric(**one: Any) -> dict[str, Any]:
    return {"analysis": {"metrics": [one]}}


def canary(**how: Any) -> dict[str, Any]:
    return {"strategy": {"canary": how}}


def scaled(*metrics: dict[str, Any], **limits: Any) -> dict[str, Any]:
    return {"autoscaling": {"maxReplicas": 4, "metrics": list(metrics), **limits}}


def by(source: str, **target: Any) -> dict[str, Any]:
    """A metric of autoscaling/v2."""
    member = source[0].lower() + source[1:]
    about = {"metric": {"name": "queue"}} if source in ("Pods", "External") else {"name": "cpu"}
    return {"type": source, member: {**about, "target": target}}


UTILIZATION = {"type": "Utilization", "averageUtilization": 70}


def queries(number: int) -> dict[str, Any]:
    """Scalars whose queries have 4096 characters each."""
    query = {"query": "up" + " " * 4094}
    return {
        "analysis": {
            "metrics": [
                {**SCALAR, "name": f"q{index}", "prometheus": query} for index in range(number)
            ]
        }
    }


def weights(*percents: int) -> list[dict[str, int]]:
    return [{"setWeight": percent} for percent in percents]


ACCEPTED: list[tuple[str, Kind, dict[str, Any]]] = [
    ("the least", FS, {}),
    ("the least", TJ, {}),
    ("the least", MV, {}),
    ("the least", MD, {}),
    (
        "a switch with everything, and hours",
        MD,
        {
            "strategy": {
                "blueGreen": {
                    "previewReplicas": 2,
                    "autoPromotionEnabled": False,
                    "prePromotionAnalysis": {"minSamples": 500, "maxDuration": "1h"},
                    "scaleDownDelaySeconds": 0,
                },
                "postPromotionAnalysis": {"duration": "1h30m", "keptReplicas": 2},
                "promotionWindows": [
                    {"days": ["Monday"], "start": "09:00", "end": "16:30", "timeZone": "Asia/Tokyo"}
                ],
            },
            "rollbackWindow": {"revisions": 3},
            "analysis": {"mode": "observe"},
        },
    ),
    (
        "an A/B test with everything",
        MD,
        {
            "strategy": {
                "abTest": {
                    "unit": {"cookie": "session"},
                    "canaryPercent": 20,
                    "salt": "autumn",
                    "layer": {"name": "ranking", "fromPercent": 0, "toPercent": 50},
                    "minSamples": 5000,
                    "minDuration": "2h",
                    "maxDuration": "48h",
                }
            }
        },
    ),
    (
        "a shadow of a server of one's own, of which a Gateway mirrors a share",
        MD,
        {
            **canary(steps=[{"shadow": {"percent": 20}}, *weights(20)]),
            "server": {"container": CONTAINER},
            "traffic": {"gatewayAPI": {"parentRefs": [{"name": "public"}]}},
        },
    ),
    (
        "a shadow before users get an answer",
        MD,
        {
            "strategy": {
                "canary": {
                    "steps": [
                        {"shadow": {"replicas": 2, "minSamples": 500, "minDuration": "5m"}},
                        {"setWeight": 20},
                        {"analyze": {}},
                    ]
                }
            }
        },
    ),
    (
        "a private column with its key",
        FS,
        {
            "features": [{**PRIVATE, "expect": {"maxNullFraction": "0.1"}}],
            "pseudonymizationKeySecretRef": PRIVACY,
        },
    ),
    ("allowed values of a text and of a number", FS, {"features": [
        {**TAILNUM, "expect": {"in": ["N1"]}},
        {"name": "stops", "type": "int32", "expect": {"in": ["0", "1"]}}]}),
    ("two sources and a transform", FS,
     {"sources": [SOURCE, {**SOURCE, "name": "weather"}], "transform": {"sql": "SELECT 1"}}),
    ("an at sign that names no user", FS,
     {"sources": [{"name": "a", "files": {"format": "csv", "uris": [
         "https://data.example.com/a@b.csv?by=me@here", "file:///data/a@b.csv"]}}]}),
    ("impute by median", FS, on_missing(action="impute", strategy="median")),
    ("impute a constant", FS, on_missing(action="impute", strategy="constant", value="0")),
    ("flag", FS, on_missing(action="flag")),
    ("a label whose null means no", FS,
     {"labels": [{"name": "late", "type": "boolean", "onNull": "value", "nullValue": "false"}]}),
    ("a label whose null is left out", FS,
     {"labels": [{"name": "late", "type": "boolean", "onNull": "exclude"}]}),
    ("a split by time", TJ, {"split": {"type": "time", "cutoff": "2013-10-01T00:00:00Z"}}),
    ("a split by chance", TJ, {"split": {"type": "random", "testFraction": "0.3"}}),
    ("a split by group", TJ, {"split": {"type": "group", "groupField": "carrier"}}),
    ("a gate", TJ, {"evaluation": {"gates": [{"metric": "roc_auc", "min": "0.6"}]}}),
    ("a threshold", TJ, {"decision": {"threshold": "0.3"}}),
    ("a threshold by cost", TJ,
     {"decision": {"optimize": "cost", "falseNegativeCost": "5", "falsePositiveCost": "1"}}),
    ("a pinned snapshot", TJ,
     {"featureSetRefs": [{"name": "flights", "snapshot": f"sha256:{'a' * 64}"}]}),
    ("aliases and approval", MV, {"aliases": ["champion"], "approval": {"required": True}}),
    ("a channel by alias", MD,
     {"model": {"channel": {"modelName": "delay", "alias": "champion"}}}),
    ("a channel of the newest", MD,
     {"model": {"channel": {"modelName": "delay", "latestApproved": True}}}),
    ("steps", MD, canary(steps=[*weights(20), {"pause": {}}, *weights(50), {"analyze": {}}])),
    ("weights for short", MD, canary(stepWeights=[20, 50])),
    ("no steps at all", MD, canary(steps=[])),
    ("a rate against stable", MD, metric(**RATE, tolerance={"ratio": "1.5"}, primary=True)),
    ("a rate against a maximum", MD, metric(name="e", template="error-rate", max="0.05")),
    ("slow requests", MD, metric(**{**RATE, "template": "slow-requests", "latency": "50ms"})),
    ("misses", MD, metric(**{**RATE, "template": "false-negatives"})),
    ("false alarms", MD, metric(**{**RATE, "template": "false-positives"})),
    ("inputs out of range", MD, metric(**{**RATE, "template": "out-of-range"})),
    ("a loss", MD, metric(**{**RATE, "template": "prediction-loss", "score": "brier"})),
    ("losses of values, each with its bound", MD,
     {**feedback(*VALUE_SCORES, wrongBeyond="0.5"), "analysis": {"metrics": [
         loss("absoluteError"), loss("squaredError"), loss("pinball"), loss("brier")]}}),
    ("a loss of classes with a bound", MD,
     {**feedback({"score": "logLoss", "bound": "5"}), **metric(**loss("logLoss"))}),
    ("values that are right or wrong", MD, feedback(wrongBeyond="30")),
    ("a scalar", MD, metric(**SCALAR, interval="1m", failureLimit=2, dryRun=True)),
    ("a scalar with all of Argo's words", MD,
     metric(**SCALAR, successMax="80", inconclusiveLimit=2, count=5, initialDelay="2m")),
    ("a counted metric as a dry run", MD, metric(**RATE, dryRun=True)),
    ("weighed metrics and a scalar", MD,
     {"analysis": {"metrics": [{**RATE, "weight": "1"}, SCALAR]}}),
    ("a server of one's own", MD,
     {"server": {"container": {**CONTAINER, "metrics": {"profile": "triton", "port": 8002}}},
      "analysis": {"metrics": [RATE]}}),
    ("a template of the library", MD,
     metric(name="m", templateRef={"name": "cost-per-1000", "parameters": {"cpuCoreHour": "0.04"}},
            successMax="0.1", inconclusiveLimit=1, failureLimit=2)),
    ("queries of 16 KiB", MD, queries(4)),
    ("weights of rates beside one that only alarms", MD,
     {"analysis": {"metrics": [{**RATE, "weight": "1"}, {**RATE, "name": "s", "gate": False}]}}),
    ("an autoscaler by CPU and a queue", MD,
     scaled(by("Resource", **UTILIZATION), by("External", type="AverageValue", averageValue="9"),
            minReplicas=2, behavior={"scaleDown": {"stabilizationWindowSeconds": 60}})),
    ("a line for each request", MD, {"server": {"accessLog": {}}}),
    ("spans of requests", MD,
     {"server": {"tracing": {"collector": "platform", "sampleRatio": "0.05"}}}),
    ("a log of predictions", MD,
     {"server": {"predictionLog": {"samplePercent": 0, "retention": {"maxSize": "1Gi"}}}}),
    ("gRPC beside HTTP", MD, {"server": {"grpc": {}}}),
    ("several workers", MD, {"server": {"workers": 16, "limits": {"concurrency": 16}}}),
    ("several workers over gRPC", MD, {"server": {"workers": 2, "grpc": {}}}),
    ("one worker, and what it alone can", MD,
     {"server": {"workers": 1}, "strategy": {"abTest": {"unit": {"header": "X-User-Id"}}}}),
    ("values that requests leave out", MD, {"server": online_features("flights", "airports")}),
    ("newest values of each entity", FS, ONLINE),
    ("newest values on a server", FS, on_server(url="redis://cache.shop:6379")),
    ("newest values on a server, with all that can be said of it", FS,
     on_server(url="rediss://[::1]:6379/15", username="writer", passwordSecretRef=PASSWORD,
               caSecretRef={"name": "cache", "key": "ca.crt"}, ttl="72h", timeout="50ms")),
    ("who reads on a server", MD,
     {"server": {"onlineFeatures": [{"featureSetRef": {"name": "flights"}, "credentials": {
         "username": "reader", "passwordSecretRef": PASSWORD}}]}}),
    ("newest values, switched off", FS,
     {**ONLINE, "online": {"maxStaleness": "1h", "enabled": False}}),
    ("a secret in the environment", MD,
     {"server": {"env": [{"name": "KEY", "secretKeyRef": {"name": "s", "key": "k"}}]}}),
]  # fmt: skip

REFUSED: list[tuple[str, Kind, dict[str, Any]]] = [
    (("`image`, `limits`, `feedback`, `grpc`, `workers` and `onlineFeatures` are for Serinus' "
      "server, and not for a `container` of your own"),
     MD, {"server": {"container": CONTAINER, "image": "i"}}),
    (("`image`, `limits`, `feedback`, `grpc`, `workers` and `onlineFeatures` are for Serinus' "
      "server, and not for a `container` of your own"),
     MD, {"server": {"container": CONTAINER, "grpc": {}}}),
    (("`image`, `limits`, `feedback`, `grpc`, `workers` and `onlineFeatures` are for Serinus' "
      "server, and not for a `container` of your own"),
     MD, {"server": {"container": CONTAINER, "workers": 2}}),
    (("`image`, `limits`, `feedback`, `grpc`, `workers` and `onlineFeatures` are for Serinus' "
      "server, and not for a `container` of your own"),
     MD, {"server": {"container": CONTAINER, **online_features("flights")}}),
    ("name each FeatureSet once in `onlineFeatures`",
     MD, {"server": online_features("flights", "airports", "flights")}),
    (("`url` may hold no user name or password (`redis://user:password@…`): they would stand in "
      "manifests and logs. Use `username` and `passwordSecretRef`"),
     FS, on_server(url="redis://writer:hunter2@cache:6379")),
    ("`username` needs `passwordSecretRef`", FS, on_server(url="redis://c:1", username="writer")),
    ("`caSecretRef` is for `rediss://` only, which speaks TLS",
     FS, on_server(url="redis://c:1", caSecretRef=PASSWORD)),
    (("`online` needs `entities`, by which values are looked up, and `timestampField`, which tells "
      "their age"), FS, {**ONLINE, "timestampField": None}),
    (("`online` needs `entities`, by which values are looked up, and `timestampField`, which tells "
      "their age"), FS, {**ONLINE, "entities": []}),
    ("`online` looks values up by texts, whole numbers and booleans: give `entities` such types",
     FS, {**ONLINE, "entities": [{"name": "x", "type": "float64"}]}),
    (("`online` can't look values up by a pseudonymized feature: the table has hashes, and clients "
      "send the value itself"), FS,
     {**ONLINE, "entities": [{"name": "tailnum", "type": "string"}],
      "pseudonymizationKeySecretRef": {"name": "s", "key": "k"}, "features": [PRIVATE]}),
    ("`limits.concurrency` is divided among `workers`: it must be at least as many",
     MD, {"server": {"workers": 4, "limits": {"concurrency": 3}}}),
    (("`strategy.abTest` counts units in pods of one process; with `server.workers` release by "
      "`canary` or `blueGreen`"), MD,
     {"server": {"workers": 2}, "strategy": {"abTest": {"unit": {"header": "x-user"}}}}),
    (("`predictionLog`, `accessLog` and `tracing` are for Serinus' server, and not for a "
      "`container` of your own"), MD, {"server": {"container": CONTAINER, "predictionLog": {}}}),
    (("`predictionLog`, `accessLog` and `tracing` are for Serinus' server, and not for a "
      "`container` of your own"), MD,
     {"server": {"container": CONTAINER, "tracing": {"collector": "a"}}}),
    ("set exactly one of `profile`, `custom`",
     MD, {"server": {"container": {**CONTAINER, "metrics": {}}}}),
    ("`requests` and `failed` go together: bad of total",
     MD, {"server": {"container": {**CONTAINER, "metrics": {"custom": {
         "requests": [{"name": "a"}], "duration": {"name": "b"}}}}}}),
    ("name `requests` and `failed`, `duration`, or all of them",
     MD, {"server": {"container": {**CONTAINER, "metrics": {"custom": {}}}}}),
    (("with `server.container` the metrics' templates are error-rate and slow-requests: what else "
     "there is, only Serinus' server counts"),
     MD, {"server": {"container": CONTAINER}, "analysis": {"metrics": [
         {"name": "w", "template": "wrong-predictions", "compareTo": "stable"}]}}),
    ("a feature with `sensitivity: pseudonymize` needs `pseudonymizationKeySecretRef`",
     FS, {"features": [PRIVATE]}),
    ("`expect.in` isn't for a boolean: leave it out, or make the feature a string",
     FS, {"features": [{"name": "late", "type": "boolean", "expect": {"in": ["true"]}}]}),
    ("`sensitivity: pseudonymize` gives a text: declare `type: string`",
     FS, private(type="int64")),
    (("`expect.in` isn't for a pseudonymized feature: what is checked are hashes, of which none is "
      "in the list. Check it in the transform"),
     FS, private(expect={"in": ["N1"]})),
    (("`onMissing.value` isn't for a pseudonymized feature: it would stand among hashes. Fill it "
      "in in the transform, which is hashed afterwards"),
     FS, private(onMissing={"action": "impute", "strategy": "constant", "value": "N0"})),
    ("several sources need a `transform`",
     FS, {"sources": [SOURCE, {**SOURCE, "name": "weather"}]}),
    ("set `files`", FS, {"sources": [{"name": "flights"}]}),
    (("`uris` may hold no user name or password (`https://user:password@…`): they would stand in "
      "manifests and logs. Use an address that needs none, or put the file into the store: "
      "`file:///data/…`"),
     FS, {"sources": [{"name": "a", "files": {"format": "csv", "uris": [
         "https://data.example.com/a.csv", "http://ada:secret@data.example.com/b.csv"]}}]}),
    ("set `sql`", FS, {"transform": {}}),
    ("`strategy` is for `action: impute` only",
     FS, on_missing(action="flag", strategy="median")),
    ("`value` is for `strategy: constant` only", FS, on_missing(action="impute", value="0")),
    ("`strategy: constant` needs `value`",
     FS, on_missing(action="impute", strategy="constant")),
    ("`nullValue` goes with `onNull: value`, and only with it",
     FS, {"labels": [{"name": "late", "type": "boolean", "nullValue": "false"}]}),
    ("`nullValue` goes with `onNull: value`, and only with it",
     FS, {"labels": [{"name": "late", "type": "boolean", "onNull": "value"}]}),
    ("set `sklearn`", TJ, {"trainer": {}}),
    ("`cutoff` is for `type: time` only",
     TJ, {"split": {"type": "random", "cutoff": "2013-10-01T00:00:00Z"}}),
    ("set `cutoff` or `testFraction`, not both",
     TJ,
     {"split": {"type": "time", "cutoff": "2013-10-01T00:00:00Z", "testFraction": "0.2"}}),
    ("`groupField` goes with `type: group`, and only with it",
     TJ, {"split": {"type": "group"}}),
    ("`groupField` goes with `type: group`, and only with it",
     TJ, {"split": {"type": "random", "groupField": "carrier"}}),
    ("set `min`, `max` or both", TJ, {"evaluation": {"gates": [{"metric": "roc_auc"}]}}),
    ("`min` is above `max`: nothing could be between them",
     TJ, {"evaluation": {"gates": [{"metric": "roc_auc", "min": "0.9", "max": "8e-1"}]}}),
    ("`min` is above `max`: nothing could be between them",
     FS, {"features": [{"name": "stops", "type": "int32", "expect": {"min": "10", "max": "9"}}]}),
    ("set exactly one of `threshold`, `optimize`", TJ, {"decision": {}}),
    ("set exactly one of `threshold`, `optimize`",
     TJ, {"decision": {"threshold": "0.5", "optimize": "f1"}}),
    ("set both costs or none",
     TJ, {"decision": {"optimize": "cost", "falseNegativeCost": "5"}}),
    ("costs go with `optimize: cost`, and only with it", TJ, {"decision": {"optimize": "cost"}}),
    ("`analysis.onDeadline` is hold, rollback or promote",
     MD, {"analysis": {"onDeadline": "pause"}}),
    ("`analysis.onProviderError` is hold or pause: that metrics can't be read is never evidence",
     MD, {"analysis": {"onProviderError": "rollback"}}),
    ("set exactly one of `versionRef`, `channel`", MD, {"model": {}}),
    ("set exactly one of `versionRef`, `channel`",
     MD,
     {"model": {"versionRef": {"name": "a"}, "channel": {"modelName": "a", "alias": "b"}}}),
    ("set exactly one of `alias`, `latestApproved`",
     MD, {"model": {"channel": {"modelName": "a"}}}),
    ("set exactly one of `alias`, `latestApproved`",
     MD, {"model": {"channel": {"modelName": "a", "alias": "b", "latestApproved": True}}}),
    ("`latestApproved` is true or left out",
     MD, {"model": {"channel": {"modelName": "a", "latestApproved": False}}}),
    ("set exactly one of `value`, `secretKeyRef`", MD, {"server": {"env": [{"name": "A"}]}}),
    ("names that start with SERINUS_ are taken; choose another",
     MD, {"server": {"env": [{"name": "SERINUS_PORT", "value": "1"}]}}),
    ("set exactly one of `replicas`, `gatewayAPI`", MD, {"traffic": {}}),
    ("`strategy.canary`: a weight above 50 needs `traffic.gatewayAPI`", MD,
     canary(stepWeights=[20, 60])),
    ("set `replicas` or `autoscaling`, not both", MD, {"replicas": 2, **scaled()}),
    ("`minReplicas` may not be above `maxReplicas`", MD, scaled(minReplicas=5)),
    ("`resource` goes with `type: Resource`, and only with it", MD, scaled({"type": "Resource"})),
    ("`containerResource` goes with `type: ContainerResource`, and only with it",
     MD, scaled({"type": "ContainerResource"})),
    ("`pods` goes with `type: Pods`, and only with it", MD, scaled({"type": "Pods"})),
    ("`external` goes with `type: External`, and only with it", MD, scaled({"type": "External"})),
    ("`averageUtilization` goes with `type: Utilization`, and only with it",
     MD, scaled(by("Resource", type="Utilization"))),
    ("`averageValue` goes with `type: AverageValue`, and only with it",
     MD, scaled(by("Pods", type="AverageValue"))),
    ("`value` goes with `type: Value`, and only with it", MD, scaled(by("External", type="Value"))),
    ("set exactly one of `canary`, `blueGreen`, `abTest`", MD, {"strategy": {}}),
    ("set exactly one of `canary`, `blueGreen`, `abTest`",
     MD, {"strategy": {"abTest": {"unit": {"header": "X-User-Id"}}, "canary": {"steps": []}}}),
    ("set exactly one of `header`, `cookie`", MD, {"strategy": {"abTest": {"unit": {}}}}),
    ("set exactly one of `header`, `cookie`",
     MD, {"strategy": {"abTest": {"unit": {"header": "X-User-Id", "cookie": "session"}}}}),
    ("`fromPercent` must be below `toPercent`",
     MD, {"strategy": {"abTest": {"unit": {"header": "X-User-Id"},
                                  "layer": {"name": "a", "fromPercent": 30, "toPercent": 30}}}}),
    (("`strategy.abTest` is for Serinus' server, whose pods assign the units; with "
      "`server.container` release by `canary` or `blueGreen`"),
     MD, {"strategy": {"abTest": {"unit": {"header": "X-User-Id"}}},
          "server": {"container": CONTAINER}}),
    ("`strategy.postPromotionAnalysis` needs `analysis.metrics`, else nothing is judged",
     MD, {"strategy": {"canary": {"steps": []}, "postPromotionAnalysis": {"duration": "1h"}},
          "analysis": {"metrics": []}}),
    ("set exactly one of `steps`, `stepWeights`", MD, canary()),
    ("set exactly one of `steps`, `stepWeights`", MD, canary(steps=[], stepWeights=[20])),
    ("`stepWeights` must rise: each above the one before", MD, canary(stepWeights=[50, 20])),
    ("no weight may be above `maxWeight`", MD, canary(stepWeights=[20, 50], maxWeight=30)),
    ("no weight may be above `maxWeight`", MD, canary(steps=weights(20, 50), maxWeight=49)),
    ("`stepWeights` must rise: each above the one before", MD, canary(stepWeights=[20, 20])),
    ("the `setWeight` of `steps` must rise: each above the one before",
     MD, canary(steps=weights(50, 20))),
    ("the `setWeight` of `steps` must rise: each above the one before",
     MD, canary(steps=weights(20, 20))),
    ("the first of `steps` must be a `setWeight`, or a `shadow` and then a `setWeight`",
     MD, canary(steps=[{"pause": {}}])),
    ("the first of `steps` must be a `setWeight`, or a `shadow` and then a `setWeight`",
     MD, canary(steps=[{"shadow": {}}])),
    ("the first of `steps` must be a `setWeight`, or a `shadow` and then a `setWeight`",
     MD, canary(steps=[{"shadow": {}}, {"analyze": {}}, *weights(20)])),
    ("only the first of `steps` may be a `shadow`: later on users get answers anyway",
     MD, canary(steps=[*weights(20), {"shadow": {}}])),
    (("a `shadow` with `server.container` needs `traffic.gatewayAPI`: requests are mirrored by "
      "Serinus' server or by a Gateway, not by a server of your own. Choose a gateway that "
      "mirrors, or begin with `setWeight`"),
     MD, {**canary(steps=[{"shadow": {}}, *weights(20)]), "server": {"container": CONTAINER}}),
    (("`shadow.percent` needs `server.container` and `traffic.gatewayAPI`: Serinus' server "
      "mirrors all that the shadow has room for. Leave it out, or say by `shadow.replicas` how "
      "much room"),
     MD, canary(steps=[{"shadow": {"percent": 20}}, *weights(20)])),
    ("only the first of `steps` may be a `shadow`: later on users get answers anyway",
     MD, canary(steps=[{"shadow": {}}, *weights(20), {"shadow": {}}])),
    ("set exactly one of `setWeight`, `pause`, `analyze`, `shadow`",
     MD, canary(steps=[*weights(20), {}])),
    ("set exactly one of `setWeight`, `pause`, `analyze`, `shadow`",
     MD, canary(steps=[{"setWeight": 20, "pause": {}}])),
    (("the queries of all `metrics` may have 16384 characters together, because status keeps "
      "them during a rollout"), MD, queries(5)),
    ("give every metric with a `template` that gates a `weight`, or none",
     MD,
     {"analysis": {"metrics": [{**RATE, "weight": "0.5"}, {**RATE, "name": "more"}]}}),
    ("set exactly one of `template`, `prometheus`, `templateRef`",
     MD, metric(name="a")),
    ("set exactly one of `template`, `prometheus`, `templateRef`",
     MD, metric(**SCALAR, template="error-rate")),
    ("a `template` needs `compareTo: stable`, `max`, or both",
     MD, metric(name="a", template="error-rate")),
    ("`prometheus` needs `min`, `max`, or both",
     MD, metric(name="a", prometheus={"query": "up"})),
    (("`min`, `successMin`, `successMax`, `interval`, `count`, `initialDelay`, `failureLimit`, "
      "`inconclusiveLimit` and `consecutiveErrorLimit` go with `prometheus` and "
      "`templateRef` only"),
     MD, metric(**RATE, count=3)),
    ("`successMin` needs `min`: a value between them is inconclusive",
     MD, metric(**SCALAR, successMin="3")),
    ("`successMax` needs `max`: a value between them is inconclusive", MD,
     metric(name="a", prometheus={"query": "up"}, min="1", successMax="3")),
    (("`inconclusiveLimit` needs `successMin` or `successMax`: without them nothing is "
      "inconclusive"),
     MD, metric(**SCALAR, inconclusiveLimit=1)),
    (("`compareTo`, `tolerance`, `nonInferiorityMargin`, `weight` and `primary` go with "
      "`template` only"), MD, metric(**SCALAR, compareTo="stable")),
    ("`latency` goes with `template: slow-requests`, and only with it",
     MD, metric(**RATE, latency="50ms")),
    ("`latency` goes with `template: slow-requests`, and only with it",
     MD, metric(**{**RATE, "template": "slow-requests"})),
    ("`score` goes with `template: prediction-loss`, and only with it",
     MD, metric(**RATE, score="brier")),
    ("`score` goes with `template: prediction-loss`, and only with it",
     MD, metric(**{**RATE, "template": "prediction-loss"})),
    ("`tolerance` and `nonInferiorityMargin` need `compareTo: stable`",
     MD, metric(name="a", template="error-rate", max="0.1", tolerance={"ratio": "2"})),
    ("a `score` but `brier` has to be in `server.feedback.scores`, which says its `bound`",
     MD, metric(**loss("absoluteError"))),
    ("a `score` but `brier` has to be in `server.feedback.scores`, which says its `bound`",
     MD, {**feedback(VALUE_SCORES[0], wrongBeyond="30"), **metric(**loss("pinball"))}),
    (("`absoluteError`, `squaredError` and `pinball` need `wrongBeyond`: without it labels of a "
      "model that answers values aren't taken"), MD, feedback(VALUE_SCORES[0])),
    ("`quantile` goes with `score: pinball`, and only with it",
     MD, feedback({"score": "pinball", "bound": "60"}, wrongBeyond="30")),
    ("`quantile` goes with `score: pinball`, and only with it",
     MD, feedback({"score": "logLoss", "bound": "5", "quantile": "0.5"})),
]  # fmt: skip

# What the schema itself refuses: the answer names the field and what was expected.
REFUSED_BY_SCHEMA: list[tuple[tuple[str, ...], Kind, dict[str, Any]]] = [
    (('unknown field "spec.bogus"',), FS, {"bogus": 1}),
    (('unknown field "spec.strategy.mirror"',), MD, {"strategy": {"mirror": {}}}),
    (("spec.label: Required value",), TJ, {"label": None}),
    (("spec.server.onlineFeatures", "8"),
     MD, {"server": online_features(*(f"set-{number}" for number in range(9)))}),
    (("spec.online.maxStaleness",), FS, {"online": {}}),
    (("spec.online.redis.url",), FS, on_server(url="http://cache:6379")),
    (("spec.online.redis.url",), FS, on_server(url="redis://cache:6379/db")),
    (("spec.online.redis.url",), FS, on_server()),
    (("spec.server.predictionLog.samplePercent",), MD,
     {"server": {"predictionLog": {"samplePercent": 101}}}),
    (("spec.server.feedback.wrongBeyond", "should match"), MD, feedback(wrongBeyond="0.00")),
    (("spec.server.feedback.scores[0].bound", "should match"), MD,
     feedback({"score": "logLoss", "bound": "-5"})),
    (("spec.server.feedback.scores[0].bound: Required value",), MD,
     feedback({"score": "logLoss"})),
    (("spec.server.feedback.scores[0].quantile", "should match"), MD,
     feedback({"score": "pinball", "bound": "60", "quantile": "1.0"}, wrongBeyond="30")),
    (("spec.server.feedback.scores[0].score", "supported values"), MD,
     feedback({"score": "brier", "bound": "1"})),
    (("spec.server.feedback.scores[1]", "Duplicate value"), MD,
     feedback({"score": "logLoss", "bound": "5"}, {"score": "logLoss", "bound": "6"})),
    (("spec.strategy.canary.stepWeights[0]", "less than or equal to 100"), MD,
     canary(stepWeights=[101])),
    (("spec.strategy.canary.steps[0].setWeight", "greater than or equal to 1"), MD,
     canary(steps=weights(0))),
    (("spec.strategy.canary.steps", "must have at most 32 items"), MD,
     canary(steps=weights(*range(1, 34)))),
    (("spec.replicas", 'must be of type integer: "string"'), MD, {"replicas": "four"}),
    (("spec.evaluation.gates[0].metric", "supported values"), TJ,
     {"evaluation": {"gates": [{"metric": "vibes", "min": "1"}]}}),
    (("spec.evaluation.gates[0].min", "must be of type string"), TJ,
     {"evaluation": {"gates": [{"metric": "roc_auc", "min": 0.6}]}}),
    (("spec.digest", "should match"), MV, {"digest": "md5:1"}),
    (("spec.sources[0].files.uris[0]", "should match"), FS,
     {"sources": [{"name": "a", "files": {"uris": ["/etc/passwd"], "format": "csv"}}]}),
    (("spec.features[1]", "Duplicate value"), FS, {"features": [TAILNUM, TAILNUM]}),
    (("spec.split.cutoff", "date-time"), TJ, {"split": {"type": "time", "cutoff": "October"}}),
]  # fmt: skip


def manifest(kind: Kind, spec: dict[str, Any], name: str = "delay") -> dict[str, Any]:
    merged = copy.deepcopy({**SPECS[kind], **spec})
    return {
        "apiVersion": API_VERSION,
        "kind": kind.value,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {field: value for field, value in merged.items() if value is not None},
    }


def path(kind: Kind, name: str = "") -> str:
    return f"/apis/{API_VERSION}/namespaces/default/{PLURALS[kind]}{'/' + name if name else ''}"


def create(
    server: ApiServer, kind: Kind, spec: dict[str, Any], name: str = "delay", *, keep: bool = False
) -> Answer:
    return server.post(path(kind), manifest(kind, spec, name), dry_run=not keep)


def identified(rows: list[Any]) -> list[str]:
    return [f"{row[1].value}: {row[0]}" for row in rows]


@pytest.mark.parametrize(("what", "kind", "spec"), ACCEPTED, ids=identified(ACCEPTED))
def test_accepted(api_server: ApiServer, what: str, kind: Kind, spec: dict[str, Any]) -> None:
    answer = create(api_server, kind, spec)

    assert answer.accepted, f"{what}: {answer.message}"


@pytest.mark.parametrize(("message", "kind", "spec"), REFUSED, ids=identified(REFUSED))
def test_refused_by_a_rule(
    api_server: ApiServer, message: str, kind: Kind, spec: dict[str, Any]
) -> None:
    answer = create(api_server, kind, spec)

    assert answer.code == 422, answer.message
    assert message in answer.message


def test_a_password_in_an_address_is_refused_without_being_repeated(api_server: ApiServer) -> None:
    uris = ["http://ada:secret@data.example.com/b.csv"]
    sources = [{"name": "a", "files": {"uris": uris, "format": "csv"}}]
    answer = create(api_server, FS, {"sources": sources})

    assert "spec.sources[0].files: Invalid value: " in answer.message
    assert "`uris` may hold no user name or password" in answer.message
    assert "secret" not in answer.message


@pytest.mark.parametrize(
    ("words", "kind", "spec"), REFUSED_BY_SCHEMA, ids=identified(REFUSED_BY_SCHEMA)
)
def test_refused_by_the_schema(
    api_server: ApiServer, words: tuple[str, ...], kind: Kind, spec: dict[str, Any]
) -> None:
    answer = create(api_server, kind, spec)

    assert not answer.accepted
    for word in words:
        assert word in answer.message


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        (FS, "a" * 41, "must have at most 40 characters"),
        (TJ, "a" * 41, "must have at most 40 characters"),
        (MD, "a" * 41, "must have at most 40 characters"),
        (MV, "a" * 47, "must have at most 46 characters"),
        (FS, "a.b", "must have no dots"),
        (TJ, "a.b", "must have no dots"),
        (MV, "a.b", "must have no dots"),
        (MD, "1st", "must start with a letter"),
    ],
)
def test_names_that_children_could_not_bear_are_refused(
    api_server: ApiServer, kind: Kind, name: str, problem: str
) -> None:
    answer = create(api_server, kind, {}, name)

    assert answer.code == 422
    assert f"`metadata.name` {problem}" in answer.message


@pytest.mark.parametrize(("kind", "length"), [(FS, 40), (TJ, 40), (MV, 46), (MD, 40)])
def test_the_longest_name_is_accepted(api_server: ApiServer, kind: Kind, length: int) -> None:
    assert create(api_server, kind, {}, "a" * length).accepted


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("modelName", "other"),
        ("modelFormat", {"name": "serinus", "version": "2"}),
        ("storageUri", "file:///store/models/delay/other"),
        ("digest", f"sha256:{'0' * 64}"),
        ("signature", {"inputs": [], "outputs": []}),
        ("source", {"run": "delay-train-9"}),
        ("evaluation", {"passed": True}),
    ],
)
def test_what_a_model_version_is_can_t_be_changed(
    api_server: ApiServer, field: str, value: Any
) -> None:
    name = f"frozen-{field.lower()}"
    stored = create(api_server, MV, {}, name, keep=True).body
    changed = {**stored, "spec": {**stored["spec"], field: value}}
    answer = api_server.put(path(MV, name), changed)

    assert answer.code == 422
    assert f"`{field}` can't be changed; make another ModelVersion" in answer.message


def test_aliases_and_approval_of_a_model_version_can_be_changed(api_server: ApiServer) -> None:
    stored = create(api_server, MV, {}, "changing", keep=True).body
    spec = {**stored["spec"], "aliases": ["champion"], "approval": {"required": True}}

    assert api_server.put(path(MV, "changing"), {**stored, "spec": spec}).accepted


def test_what_isn_t_said_stays_unsaid(api_server: ApiServer) -> None:
    for kind, spec in SPECS.items():
        assert create(api_server, kind, {}).body["spec"] == spec


def test_a_status_is_no_part_of_what_users_write(api_server: ApiServer) -> None:
    body = {**manifest(FS, {}, "with-status"), "status": {"phase": "Ready"}}

    assert api_server.post(path(FS), body).body["status"] == {"observedGeneration": -1}


def test_all_kinds_are_listed_together_beside_the_deployments_of_kubernetes(
    api_server: ApiServer,
) -> None:
    resources = api_server.get(f"/apis/{API_VERSION}").body["resources"]
    ours = {one["kind"]: one for one in resources if "/" not in one["name"]}

    assert set(ours) == set(Kind)
    assert all(one["categories"] == ["mlops"] for one in ours.values())
    assert ours[MD]["name"] == "modeldeployments"
    assert ours[MD]["singularName"] == "modeldeployment"


def test_kubectl_get_shows_what_people_look_for(api_server: ApiServer) -> None:
    create(api_server, MV, {"aliases": ["champion"]}, "shown", keep=True)
    stored = api_server.get(path(MV, "shown")).body
    stored["status"] = {
        "phase": "Ready",
        "predictor": {"kind": "linear", "verifiedRows": 1, "mismatches": 0},
        "servedBy": [
            {"deployment": "a", "role": "stable"},
            {"deployment": "b", "role": "canary"},
        ],
    }
    assert api_server.put(path(MV, "shown") + "/status", stored).accepted

    table = api_server.get(
        path(MV, "shown"), Accept="application/json;as=Table;v=v1;g=meta.k8s.io"
    ).body
    [row] = table["rows"]
    shown = dict(
        zip([one["name"] for one in table["columnDefinitions"]], row["cells"], strict=True)
    )

    assert shown["Phase"] == "Ready"
    assert shown["Model"] == "delay"
    assert shown["Predictor"] == "linear"
    assert shown["Served"] == "a"


def test_every_rule_has_an_example() -> None:
    messages = {message for one in DEFINITIONS for message in rules(object_schema(one))}
    shown = {message for message, _, _ in REFUSED}
    by_name = {one for one in messages if one.startswith("`metadata.name`")}
    frozen = {one for one in messages if one.endswith("make another ModelVersion")}

    assert messages - by_name - frozen == shown
    assert len(frozen) == 7


def rules(schema: Schema) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for child in schema.get("properties", {}).values():
        yield from rules(child)
    if "items" in schema:
        yield from rules(schema["items"])
