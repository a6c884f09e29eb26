"""The API server over HTTP: few requests, typed errors, a deadline on each.

Requests are written here because the generated clients decode each answer into classes that we
don't need, which costs four to five times the CPU; finding and refreshing credentials is theirs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from serinus import __version__
from serinus.cluster.credentials import ApiServer
from serinus.cluster.errors import Invalid, KubeError, NotFound, Transient, error_of
from serinus.cluster.resources import Resource, resource_of
from serinus.manifests.naming import FIELD_MANAGER
from serinus.reconcile.decision import JsonObject, ObjectRef

USER_AGENT = f"serinus-operator/{__version__}"
REQUEST_TIMEOUT_SECONDS = 10.0
LIST_TIMEOUT_SECONDS = 60.0
PAGE_SIZE = 500
CONNECTIONS_MAX = 32

_APPLY = "application/apply-patch+yaml"
_JSON = "application/json"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

ObserveRequest = Callable[[str, str, int], None]
"""Told of each request's operation, kind and status code (0: no answer)."""


class KubeOverHttp:
    """Implements `Kube`. Close it with `async with`."""

    def __init__(self, server: ApiServer, *, observe: ObserveRequest | None = None) -> None:
        self._server = server
        self._observe = observe or (lambda _operation, _kind, _code: None)
        connector = aiohttp.TCPConnector(
            limit=CONNECTIONS_MAX, ssl=True if server.ssl_context is None else server.ssl_context
        )
        self._session = aiohttp.ClientSession(
            connector=connector, headers={"User-Agent": USER_AGENT, "Accept": _JSON}
        )

    async def __aenter__(self) -> KubeOverHttp:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def list_metadata(
        self, resource: Resource, namespace: str | None
    ) -> tuple[JsonObject, ...]:
        """Metadata of all observed objects, page by page."""
        parameters = {"limit": str(PAGE_SIZE)}
        if resource.label_selector:
            parameters["labelSelector"] = resource.label_selector
        if resource.field_selector:
            parameters["fieldSelector"] = resource.field_selector
        found: list[JsonObject] = []
        while True:
            page = await self._send(
                "list",
                "GET",
                resource,
                resource.path(namespace),
                parameters=parameters,
                accept=_METADATA_LIST,
                timeout_seconds=LIST_TIMEOUT_SECONDS,
            )
            found.extend(page.get("items") or ())
            following = page.get("metadata", {}).get("continue")
            if not following:
                return tuple(found)
            parameters["continue"] = following

    async def get(self, ref: ObjectRef) -> JsonObject:
        """The object as the server has it now."""
        resource = resource_of(ref.api_version, ref.kind)
        return await self._send("get", "GET", resource, resource.path(ref.namespace, ref.name))

    async def create(self, body: JsonObject) -> JsonObject:
        """Make the object."""
        resource = resource_of(body["apiVersion"], body["kind"])
        path = resource.path(body["metadata"]["namespace"])
        parameters = {"fieldManager": FIELD_MANAGER}
        return await self._send("create", "POST", resource, path, body=body, parameters=parameters)

    async def apply(self, body: JsonObject) -> JsonObject:
        """Server-side apply under our field manager, against whoever set the fields before."""
        try:
            return await self._send(
                "apply",
                "PATCH",
                *_place(body),
                body=body,
                parameters={"fieldManager": FIELD_MANAGER, "force": "true"},
                content_type=_APPLY,
            )
        except Invalid as error:
            # The server's way to say that the object of this name is another one.
            if "metadata.uid" not in error.message:
                raise
            raise error_of(error.request, 409, "Conflict", error.message) from error

    async def replace(self, body: JsonObject, *, subresource: str | None = None) -> JsonObject:
        """PUT of the object or its subresource, with its resourceVersion."""
        resource, path = _place(body)
        if subresource:
            path = f"{path}/{subresource}"
        return await self._send(
            "replace",
            "PUT",
            resource,
            path,
            body=body,
            parameters={"fieldManager": FIELD_MANAGER},
        )

    async def delete(self, ref: ObjectRef, *, uid: str, resource_version: str | None) -> None:
        """Delete with preconditions. Without `Background` a Job would leave its pods behind."""
        resource = resource_of(ref.api_version, ref.kind)
        preconditions = {"uid": uid}
        if resource_version:
            preconditions["resourceVersion"] = resource_version
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
        }
        path = resource.path(ref.namespace, ref.name)
        await self._send("delete", "DELETE", resource, path, body=options)

    async def serves(self, resource: Resource) -> bool:
        """Whether the server knows the kind, by what it tells everybody of its groups."""
        try:
            found = await self._send("discover", "GET", resource, f"/apis/{resource.api_version}")
        except NotFound:
            return False
        return any(one.get("kind") == resource.kind for one in found.get("resources") or ())

    async def _send(
        self,
        operation: str,
        method: str,
        resource: Resource,
        path: str,
        *,
        body: JsonObject | None = None,
        parameters: Mapping[str, str] | None = None,
        accept: str = _JSON,
        content_type: str = _JSON,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    ) -> dict[str, Any]:
        request, code = f"{method} {path}", 0
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                self._session.request(
                    method,
                    self._server.url + path,
                    params=parameters,
                    data=None if body is None else json.dumps(body),
                    headers={
                        "Accept": accept,
                        "Content-Type": content_type,
                        **await self._server.headers(),
                    },
                ) as response,
            ):
                code = response.status
                return _decoded(request, code, await response.read())
        except TimeoutError as error:
            raise _no_answer(request, "Timeout", f"nothing within {timeout_seconds} s") from error
        except (aiohttp.ClientError, OSError) as error:
            message = str(error) or type(error).__name__
            raise _no_answer(request, "NoConnection", message) from error
        finally:
            self._observe(operation, resource.kind, code)


def _place(body: JsonObject) -> tuple[Resource, str]:
    resource, metadata = resource_of(body["apiVersion"], body["kind"]), body["metadata"]
    return resource, resource.path(metadata["namespace"], metadata["name"])


def _decoded(request: str, code: int, content: bytes) -> dict[str, Any]:
    """The decoded answer; a refusal raises."""
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        if code < 400:
            raise Transient(
                request, code=code, reason="InvalidAnswer", message="the answer is no JSON object"
            )
        answer = {"message": content[:200].decode(errors="replace")}
    if code < 400:
        return answer
    found = (answer.get("details") or {}).get("causes") or ()
    causes = [str(cause.get("reason", "")) for cause in found]
    raise error_of(
        request, code, answer.get("reason") or "", answer.get("message") or "", causes=causes
    )


def _no_answer(request: str, reason: str, message: str) -> KubeError:
    return Transient(request, code=0, reason=reason, message=message)
