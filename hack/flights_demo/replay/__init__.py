"""Callers of the demo: they replay the flights of a quarter as live requests, from pods."""

CONTROL_PORT = 9000
