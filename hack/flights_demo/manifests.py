"""The objects of the scenes: the examples as they are, and four variants made with best intentions.

Each variant is a mistake that its author's own evaluation can't see, and nothing else.
"""

from __future__ import annotations

import copy
from typing import Any

import yaml

from flights_demo.data import EXAMPLES

JsonObject = dict[str, Any]

ROLLING = (
    "carrier_arr_24h",
    "origin_arr_24h",
    "route_arr_24h",
    "dest_arr_6h",
    "origin_dep_3h",
    "carrier_dep_3h",
)
LONGEST_FLIGHT_MILES = "2000"


def example(name: str) -> JsonObject:
    """One of hack/examples/flights."""
    document: JsonObject = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return document


def feature_set() -> JsonObject:
    """`flights`."""
    return example("featureset")


def short_haul() -> tuple[JsonObject, JsonObject]:
    """Who made it thought that no flight is longer, and had other rows left out as errors."""
    features = _variant(feature_set(), "flights-short-haul", "Flights of up to 2,000 miles")
    distance = _feature(features, "distance")
    distance["expect"]["max"] = LONGEST_FLIGHT_MILES
    distance["onViolation"] = {"action": "reject"}
    return features, boosted("delay-short-haul", "flights-short-haul")


def hours() -> tuple[JsonObject, JsonObject]:
    """Who made it likes delays in hours; callers have always sent minutes."""
    features = _variant(feature_set(), "flights-hours", "Flights with delays in hours")
    for name in ROLLING:
        _feature(features, name)["unit"] = "h"
    sql = features["spec"]["transform"]["sql"]
    converted = ", ".join(f"{name} / 60 AS {name}" for name in ROLLING)
    features["spec"]["transform"]["sql"] = f"SELECT * REPLACE ({converted})\nFROM (\n{sql})"
    return features, boosted("delay-hours", "flights-hours")


def peeking(*, leak_check: bool) -> tuple[JsonObject, JsonObject]:
    """Who made it averaged delays by schedule, over the very flight that is asked about, too."""
    features = _variant(feature_set(), "flights-peeking", "Flights with a window on schedule time")
    sql = features["spec"]["transform"]["sql"]
    for honest in ("SELECT departed_at, carrier", "SELECT as_of, carrier"):
        if honest not in sql:
            raise AssertionError(f"the transform of `flights` has no `{honest}`")
        sql = sql.replace(honest, "SELECT scheduled_at, carrier")
    features["spec"]["transform"]["sql"] = sql
    features["spec"]["leakCheck"] = {"enabled": leak_check}
    return features, boosted("delay-peeking", "flights-peeking")


def boosted(name: str, feature_set_name: str) -> JsonObject:
    """The TrainingJob of the better version, on another FeatureSet."""
    job = _variant(example("training-job-boosted"), name, "Boosted trees on all features")
    job["spec"]["featureSetRefs"] = [{"name": feature_set_name}]
    return job


def deployment(model_version: str) -> JsonObject:
    """The Deployment, asking for a version."""
    document = example("deployment")
    document["spec"]["model"]["versionRef"]["name"] = model_version
    return document


def _variant(document: JsonObject, name: str, description: str) -> JsonObject:
    variant = copy.deepcopy(document)
    variant["metadata"]["name"] = name
    variant["spec"]["description"] = description
    return variant


def _feature(document: JsonObject, name: str) -> JsonObject:
    feature: JsonObject = next(
        feature for feature in document["spec"]["features"] if feature["name"] == name
    )
    return feature
