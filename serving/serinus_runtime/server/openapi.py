"""The server described as OpenAPI 3.1, with the inputs and outputs of its model.

What a schema can't say (that columns are of one length, or a tensor's data of its shape) is left to
the server; so a request may fit the schema and be refused with a 400 that tells why. What doesn't
fit it is always refused. Types are as strict as `encoding` is, and policies show as they work: only
a value that is rejected is outside the schema, one that is flagged or imputed isn't.

References
----------
OpenAPI Specification 3.1.0; JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType

from serinus_runtime.artifact.encoding import bounds_of_type
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.signature import Datatype, InputSpec, OutputSpec, PolicyAction
from serinus_runtime.server.exchange import JsonObject
from serinus_runtime.server.prediction_id import MAX_ROWS

_REFUSALS = {
    "400": "The request doesn't fit; the message names the field.",
    "408": "The request took too long to come.",
    "413": "The body, as it was before it was compressed, or its rows are over the limit.",
    "415": "The body is in a content encoding that isn't read; `Accept-Encoding` says which are.",
    "417": "The request expects something else than `100-continue`.",
    "500": "The server failed.",
    "503": "The server is full; `Retry-After` says when to try again.",
    "504": "There was no answer in the time that it may take.",
}
_TEXT: JsonObject = {
    "description": "Done.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
_UNEXPLAINED = {"501": "The model can't be explained; the message says what to do."}


def openapi_document(
    model: Model, *, rows_max: int, looked_up: Set[str] = frozenset()
) -> JsonObject:
    """The document of a server with this model, which takes at most `rows_max` rows at once.

    Inputs that are `looked_up` may be left out of a row.
    """
    name, version = model.manifest.model_name, model.version
    paths: JsonObject = {
        "/predict": _post(
            "Rows of named values; one prediction for each, in order.", "Rows", "Predictions"
        ),
        "/invocations": _also_csv(
            _post("MLflow's scoring protocol.", "Invocations", "PlainPredictions")
        ),
        f"/v1/models/{name}:predict": _post(
            "KServe's protocol of version 1.", "Instances", "PlainPredictions"
        ),
        "/feedback": _post("Labels for a prediction.", "Feedback", "Counted"),
        "/v2": _get("What the server speaks.", "ServerMetadata"),
        "/v2/health/live": _get("Whether the process runs.", "Live"),
        "/v2/health/ready": _get("Whether the pod wants traffic.", "Ready", "503"),
        "/v1/models": _get("Names of the models.", "ModelNames"),
        f"/v1/models/{name}": _get("Whether the pod wants traffic.", "ModelReady", "503"),
        "/metrics": {"get": {"summary": "For Prometheus.", "responses": {"200": _TEXT}}},
        "/version": {"get": {"summary": "Of the server.", "responses": {"200": _TEXT}}},
    }
    for path in ("/healthz", "/livez"):
        paths[path] = _get("Whether the process runs.", "Live")
    for path in ("/readyz", "/ping", "/health"):
        paths[path] = _get("Whether the pod wants traffic.", "Ready", "503")
    for path in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{version}"):
        paths[path] = _get("Inputs and outputs of the model.", "ModelMetadata")
        paths[f"{path}/ready"] = _get("Whether the pod wants traffic.", "ModelReady", "503")
        paths[f"{path}/infer"] = _post(
            "The Open Inference Protocol, version 2.", "InferenceRequest", "InferenceResponse"
        )
        paths[f"{path}/explain"] = _post(
            "What each input adds to the answer.", "InferenceRequest", "Explanation", _UNEXPLAINED
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version, "description": "A model, served by Serinus."},
        "paths": paths,
        "components": {"schemas": _schemas(model, rows_max, looked_up)},
    }


def _post(
    summary: str, request: str, answer: str, more: Mapping[str, str] = MappingProxyType({})
) -> JsonObject:
    told = "May be compressed, with `Content-Encoding: gzip` or `deflate`."
    body = {"description": told, "required": True, "content": _json(request)}
    responses = {"200": {"description": "Done.", "content": _json(answer)}}
    for code, description in (_REFUSALS | dict(more)).items():
        responses[code] = {"description": description, "content": _json("Error")}
    return {"post": {"summary": summary, "requestBody": body, "responses": responses}}


def _also_csv(path: JsonObject) -> JsonObject:
    """The same, with a body that may be CSV."""
    path["post"]["requestBody"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    return path


def _get(summary: str, answer: str, *others: str) -> JsonObject:
    responses = {
        code: {"description": summary, "content": _json(answer)} for code in ("200", *others)
    }
    return {"get": {"summary": summary, "responses": responses}}


def _json(schema: str) -> JsonObject:
    return {"application/json": {"schema": _ref(schema)}}


def _ref(schema: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(required: list[str], properties: JsonObject) -> JsonObject:
    return {"type": "object", "required": required, "properties": properties}


def _one_of(words: Mapping[str, Sequence[JsonObject]]) -> JsonObject:
    """An object with one of these fields, which exclude each other, in one of its forms."""
    return {
        "oneOf": [
            _object([word], {word: form})
            | {"not": {"anyOf": [{"required": [other]} for other in words if other != word]}}
            for word, forms in words.items()
            for form in forms
        ]
    }


def _list(items: JsonObject, *, most: int | None = None) -> JsonObject:
    bound = {} if most is None else {"maxItems": most}
    return {"type": "array", "items": items, "minItems": 1, **bound}


def _schemas(model: Model, rows_max: int, looked_up: Set[str]) -> JsonObject:
    signature = model.manifest.signature
    text, truth = {"type": "string"}, {"type": "boolean"}
    objects = _list(_ref("Row"), most=rows_max)
    values = _list(_cells(signature.inputs), most=rows_max)
    answer = {"id": text, "revision": text, "model": text}
    prediction = _value(signature.outputs[0])
    column = _list({}, most=rows_max)
    return {
        "Row": _row(signature.inputs, looked_up),
        "Rows": _one_of({"rows": [objects], "instances": [objects]}),
        "Instances": _one_of({"instances": [objects, values], "inputs": [objects, values]}),
        "Invocations": _one_of(
            {
                "dataframe_split": [_ref("Split")],
                "dataframe_records": [objects],
                "instances": [objects, values],
                "inputs": [objects, values, {"type": "object", "additionalProperties": column}],
            }
        ),
        "Split": _object(
            ["columns", "data"],
            {
                "columns": {"type": "array", "items": text, "uniqueItems": True},
                "data": _list({"type": "array"}, most=rows_max),
            },
        ),
        "Predictions": _object(
            ["predictions", *answer],
            {"predictions": _list(_object(["value"], {"value": prediction})), **answer},
        ),
        "PlainPredictions": _object(
            ["predictions", *answer], {"predictions": _list(prediction), **answer}
        ),
        "Feedback": _object(
            ["id", "labels"],
            {"id": text, "labels": _labels(model, prediction)},
        ),
        "Counted": {"type": "object"},
        "InferenceRequest": _object(
            ["inputs"], {"id": {"type": ["string", "null"]}, "inputs": _list(_ref("RequestInput"))}
        ),
        "RequestInput": _object(
            ["name", "shape", "datatype", "data"],
            {
                "name": {
                    "description": "An input of the model: "
                    f"{', '.join(signature.names)}; of one tensor for all of them any name.",
                    "type": "string",
                },
                "shape": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1},
                    "minItems": 1,
                    "maxItems": 2,
                },
                "datatype": {"enum": [datatype.value for datatype in Datatype]},
                "data": {"type": "array"},
            },
        ),
        "InferenceResponse": _object(
            ["model_name", "model_version", "id", "parameters", "outputs"],
            {
                "model_name": text,
                "model_version": text,
                "id": text,
                "parameters": _object(
                    ["prediction_id", "revision"], {"prediction_id": text, "revision": text}
                ),
                "outputs": _list(_ref("ResponseOutput")),
            },
        ),
        "ResponseOutput": _object(
            ["name", "shape", "datatype"],
            {
                "name": {"enum": [spec.name for spec in signature.outputs]},
                "shape": _list({"type": "integer", "minimum": 0}),
                "datatype": text,
                "data": {"type": "array"},
            },
        ),
        "Explanation": _object(
            ["model_name", "model_version", "parameters", "outputs"],
            {
                "model_name": text,
                "model_version": text,
                "id": text,
                "parameters": _object(
                    ["revision", "explained", "inputs"],
                    {
                        "revision": text,
                        "explained": {"enum": ["margin", "probability", "value"]},
                        "inputs": {"const": list(signature.names)},
                    },
                ),
                "outputs": _list(_ref("ExplainedOutput")),
            },
        ),
        "ExplainedOutput": _object(
            ["name", "shape", "datatype", "data"],
            {
                "name": {"enum": ["contributions", "base", "total"]},
                "shape": _list({"type": "integer", "minimum": 1}),
                "datatype": {"const": "FP64"},
                "data": _list({"type": ["number", "null"]}),
            },
        ),
        "ServerMetadata": _object(
            ["name", "version", "extensions"], {"name": text, "version": text}
        ),
        "ModelMetadata": _object(
            ["name", "versions", "platform", "inputs", "outputs"], {"name": text}
        ),
        "ModelNames": _object(["models"], {"models": _list(text)}),
        "ModelReady": _object(["name", "ready"], {"name": text, "ready": truth}),
        "Live": _object(["live"], {"live": truth}),
        "Ready": _object(["ready"], {"ready": truth}),
        "Error": _object(["error"], {"error": text}),
    }


def _labels(model: Model, prediction: JsonObject) -> JsonObject:
    """What was so, for each row."""
    told, kinds = "Classes, as they are predicted.", [prediction]
    if not model.is_classification:
        told = "Numbers; judged where the Deployment's `server.feedback.wrongBeyond` is set."
        kinds = [{"type": "number"}]
    elif prediction["type"] == "boolean":
        kinds.append({"enum": [0, 1]})
    labels = _list({"anyOf": [*kinds, {"type": "null"}]}, most=MAX_ROWS)
    return {"description": f"{told} Null where it isn't known yet.", **labels}


def _row(inputs: tuple[InputSpec, ...], looked_up: Set[str]) -> JsonObject:
    """A row by name; a field that the model doesn't know is ignored."""
    required = [
        spec.name for spec in inputs if not _may_be_missing(spec) and spec.name not in looked_up
    ]
    return _object(required, {spec.name: _cell(spec) for spec in inputs})


def _cells(inputs: tuple[InputSpec, ...]) -> JsonObject:
    """A row as a list, in the order of the inputs."""
    cells = [_cell(spec) for spec in inputs]
    return {
        "type": "array",
        "prefixItems": cells,
        "minItems": len(cells),
        "maxItems": len(cells),
    }


def _cell(spec: InputSpec) -> JsonObject:
    schema = {"description": spec.described, **_kind(spec)}
    if _may_be_missing(spec):
        return {"description": spec.described, "anyOf": [schema, {"type": "null"}]}
    return schema


def _kind(spec: InputSpec) -> JsonObject:
    if spec.datatype is Datatype.BOOL:
        return {"type": "boolean"}
    rejects = spec.on_violation is PolicyAction.REJECT
    if spec.datatype is Datatype.BYTES:
        known = spec.categories if spec.unseen is PolicyAction.REJECT else None
        allowed = spec.allowed if rejects else None
        choices = [one for one in (known, allowed) if one is not None]
        return {"type": "string", **({"enum": list(choices[-1])} if choices else {})}
    low, high = bounds_of_type(spec.datatype)
    if rejects:
        low = low if spec.minimum is None else max(low, spec.minimum)
        high = high if spec.maximum is None else min(high, spec.maximum)
    kind = "integer" if spec.datatype.is_integer else "number"
    return {"type": kind, "minimum": low, "maximum": high}


def _may_be_missing(spec: InputSpec) -> bool:
    if spec.on_missing is None:
        return spec.nullable
    return spec.on_missing is not PolicyAction.REJECT


def _value(spec: OutputSpec) -> JsonObject:
    """One predicted value."""
    if spec.datatype is Datatype.BOOL:
        return {"type": "boolean"}
    if spec.datatype is Datatype.BYTES:
        return {"type": "string"}
    return {"type": "integer" if spec.datatype.is_integer else "number"}
