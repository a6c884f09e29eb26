"""Tell people and other systems of decisions: after the fact, and never in the way of one."""
