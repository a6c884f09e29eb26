"""The modules of messages that protoc makes: of the protocol over gRPC, and of `model.onnx`."""

import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parents[2]
SOURCES = (
    "serving/serinus_runtime/artifact/onnx_file.proto",
    "serving/serinus_runtime/server/open_inference.proto",
)


def files() -> dict[str, str]:
    """For each .proto the module that protoc makes, and its types."""
    return {path: text for source in SOURCES for path, text in _of(Path(source)).items()}


def _of(source: Path) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = ROOT / source.parent
        ways_out = (f"--python_out={scratch}", f"--pyi_out={scratch}")
        ended = protoc.main(
            ["protoc", f"--proto_path={folder}", *ways_out, str(folder / source.name)]
        )
        if ended != 0:
            raise SystemExit(f"{source}: protoc failed, see above")
        generated = (f"{source.stem}_pb2.py", f"{source.stem}_pb2.pyi")
        return {
            str(source.with_name(name)): (Path(scratch) / name).read_text() for name in generated
        }
