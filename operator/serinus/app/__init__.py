"""The process: kopf handlers, probes, settings, main."""
