"""Each module has a test that bears its name or imports it; what has none says why."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {"serinus": ROOT / "operator", "serinus_runtime": ROOT / "serving"}

# Module: why no test names it. An entry that isn't needed any more fails, too.
EXEMPT: dict[str, str] = {}


def modules() -> Iterator[str]:
    """Dotted names of all modules that hold code; a package that only names things has none."""
    for package, source in PACKAGES.items():
        for path in (source / package).rglob("*.py"):
            if path.name != "__init__.py" or _holds_code(ast.parse(path.read_text())):
                yield _dotted(path.relative_to(source))


def _holds_code(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_each_module_is_named_or_imported_by_a_test() -> None:
    tests = list((ROOT / "tests").rglob("*.py"))
    names = {path.stem for path in tests}
    imports = {name for path in tests for name in imported(ast.parse(path.read_text()))}

    untested = {
        module
        for module in modules()
        if module not in imports and f"test_{module.rsplit('.', 1)[-1]}" not in names
    }

    missing = sorted(untested - set(EXEMPT))
    needless = sorted(set(EXEMPT) - untested)

    assert not missing, f"no test imports them, none is named test_<module>.py: {missing}"
    assert not needless, f"exempted without need, remove from EXEMPT: {needless}"
