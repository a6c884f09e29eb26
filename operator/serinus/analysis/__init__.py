"""From counters to evidence to a verdict. Pure."""
