"""Writers of generated files; each target is a module with `files() -> {path: text}`."""
