"""The manifests of hack/examples."""

from pathlib import Path

POD_BESIDE_THE_STORE = Path("hack/examples/data/store-pod.yaml")
EXAMPLES = sorted({*Path("hack/examples").rglob("*.yaml")} - {POD_BESIDE_THE_STORE})
"""Those of our kinds."""
