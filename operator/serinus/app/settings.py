"""What the operator is told by its environment, read once at the start."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from serinus.api.quantities import QuantityText
from serinus.api.tracing import TraceCollector, collectors_of
from serinus.hooks.declared import DeclaredHook, hooks_of
from serinus.manifests.settings import ScratchSettings, Settings, StoreSettings
from serinus.notices.sinks import Sink, sinks_of


def _names(text: object) -> object:
    if isinstance(text, str):
        return tuple(name.strip() for name in text.split(",") if name.strip())
    return text


def _none_if_empty(text: object) -> object:
    return None if text == "" else text


def _sinks(text: object) -> object:
    return sinks_of(text) if isinstance(text, str) else text


def _hooks(text: object) -> object:
    return hooks_of(text) if isinstance(text, str) else text


def _collectors(text: object) -> object:
    return collectors_of(text) if isinstance(text, str) else text


Optional = BeforeValidator(_none_if_empty)


class OperatorSettings(BaseModel):
    """The environment's variables; an alias is the variable's name."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    jobs_image: str = Field(alias="SERINUS_JOBS_IMAGE", min_length=1)
    server_image: str = Field(alias="SERINUS_SERVER_IMAGE", min_length=1)
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", alias="SERINUS_IMAGE_PULL_POLICY"
    )
    image_pull_secrets: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(), alias="SERINUS_IMAGE_PULL_SECRETS"
    )
    prometheus_url: Annotated[str | None, Optional] = Field(
        default=None, alias="SERINUS_PROMETHEUS_URL"
    )
    prometheus_token_file: Annotated[Path | None, Optional] = Field(
        default=None, alias="SERINUS_PROMETHEUS_TOKEN_FILE"
    )
    watch_namespaces: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        default=(), alias="SERINUS_WATCH_NAMESPACES"
    )
    store_size: str = Field(default="20Gi", alias="SERINUS_STORE_SIZE")
    store_access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(
        default="ReadWriteOnce", alias="SERINUS_STORE_ACCESS_MODE"
    )
    store_storage_class: Annotated[str | None, Optional] = Field(
        default=None, alias="SERINUS_STORE_STORAGE_CLASS"
    )
    jobs_scratch_size: QuantityText = Field(default="10Gi", alias="SERINUS_JOBS_SCRATCH_SIZE")
    server_scratch_size: QuantityText = Field(default="1Gi", alias="SERINUS_SERVER_SCRATCH_SIZE")
    request_policy: Annotated[str | None, Optional] = Field(
        default=None, alias="SERINUS_REQUEST_POLICY"
    )
    notices: Annotated[tuple[Sink, ...], BeforeValidator(_sinks)] = Field(
        default=(), alias="SERINUS_NOTICES"
    )
    hooks: Annotated[tuple[DeclaredHook, ...], BeforeValidator(_hooks)] = Field(
        default=(), alias="SERINUS_HOOKS"
    )
    trace_collectors: Annotated[tuple[TraceCollector, ...], BeforeValidator(_collectors)] = Field(
        default=(), alias="SERINUS_TRACE_COLLECTORS"
    )
    lease_name: str = Field(default="serinus", alias="SERINUS_LEASE_NAME")
    lease_namespace: str = Field(default="default", alias="SERINUS_LEASE_NAMESPACE")
    pod_uid: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}", alias="POD_UID"
    )
    pod_name: str = Field(default_factory=socket.gethostname, alias="POD_NAME")
    port: int = Field(default=8080, alias="SERINUS_PORT", ge=0, le=65535)
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text),
    ] = Field(default="INFO", alias="SERINUS_LOG_LEVEL")
    audit_interval_seconds: float = Field(
        default=600.0, alias="SERINUS_AUDIT_INTERVAL_SECONDS", gt=0
    )

    def for_builders(self) -> Settings:
        """What the builders of children need."""
        return Settings(
            jobs_image=self.jobs_image,
            server_image=self.server_image,
            image_pull_policy=self.image_pull_policy,
            image_pull_secrets=self.image_pull_secrets,
            store=StoreSettings(
                size=self.store_size,
                access_mode=self.store_access_mode,
                storage_class=self.store_storage_class,
            ),
            scratch=ScratchSettings(
                jobs_size=self.jobs_scratch_size, server_size=self.server_scratch_size
            ),
            trace_collectors=self.trace_collectors,
        )


class SettingsError(Exception):
    """The environment doesn't say what is needed; the text names each variable."""


def read_settings(environment: Mapping[str, str]) -> OperatorSettings:
    """The settings that the environment's variables make.

    Raises
    ------
    SettingsError
        If a variable is missing or has no allowed value.
    """
    try:
        return OperatorSettings.model_validate(dict(environment))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
        )
        raise SettingsError(f"environment: {problems}") from error
