"""I/O with Kubernetes: what is observed, and how a Decision is applied."""
