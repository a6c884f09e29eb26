"""I/O with Prometheus: samples in, our own metrics out."""
