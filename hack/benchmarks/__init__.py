"""What hack/bench measures: a module each, with `main(arguments) -> exit code`."""
