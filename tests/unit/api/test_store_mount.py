"""The path of the store stands alone: the model server reads it at start."""

import ast
from pathlib import Path, PurePosixPath

from serinus.api import store_mount


def test_it_is_an_absolute_path_and_loads_nothing() -> None:
    tree = ast.parse(Path(store_mount.__file__).read_text())

    assert PurePosixPath(store_mount.STORE_MOUNT_PATH).is_absolute()
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
