"""The model server: hot path, protocol, metrics, feedback, drain."""
