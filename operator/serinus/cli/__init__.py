"""The commands serinus and kubectl serinus, one module a verb."""
