"""Builders of the Kubernetes objects that Serinus owns, one child kind a module. Pure."""
