"""Serinus: models from data to production, and back when evidence says so."""
