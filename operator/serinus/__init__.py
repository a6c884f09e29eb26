"""Serinus: models from data to production, and back when evidence says so."""

__version__ = "0.1.0"
