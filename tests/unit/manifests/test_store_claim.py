"""The store's claim follows the platform's settings."""

from serinus.manifests.settings import StoreSettings
from serinus.manifests.store_claim import make_store_claim


def test_the_cluster_s_default_class_is_asked_for_by_silence() -> None:
    claim = make_store_claim("aviation", StoreSettings())

    assert claim["metadata"]["name"] == "serinus-store"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "20Gi"}},
    }


def test_class_size_and_access_mode_are_settings() -> None:
    store = StoreSettings(size="1Ti", access_mode="ReadWriteMany", storage_class="fast")
    spec = make_store_claim("aviation", store)["spec"]

    assert spec["storageClassName"] == "fast"
    assert spec["accessModes"] == ["ReadWriteMany"]
    assert spec["resources"]["requests"]["storage"] == "1Ti"
