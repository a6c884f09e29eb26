"""Where the API server is and who we are: the pod's service account, else a kubeconfig."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

from kubernetes.aio import config
from kubernetes.aio.client import Configuration


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Address and credentials; tokens are read again when they are about to expire."""

    url: str
    ssl_context: ssl.SSLContext | None
    configuration: Configuration

    async def headers(self) -> dict[str, str]:
        """The header that says who we are; empty with a client certificate."""
        token = await self.configuration.get_api_key_with_prefix("BearerToken")
        return {"Authorization": token} if token else {}


async def find_api_server() -> ApiServer:
    """The pod's service account where there is one and KUBECONFIG names nothing else.

    Raises
    ------
    kubernetes.aio.config.ConfigException
        If there is neither; the message says what was missing.
    """
    configuration = Configuration()
    if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
        config.load_incluster_config(client_configuration=configuration)
    else:
        await config.load_kube_config(
            config_file=os.environ.get("KUBECONFIG"), client_configuration=configuration
        )
    return ApiServer(configuration.host.rstrip("/"), _ssl_context(configuration), configuration)


def _ssl_context(configuration: Configuration) -> ssl.SSLContext | None:
    if not configuration.host.startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
