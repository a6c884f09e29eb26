"""How fast a bad canary's requests are taken away, on a real cluster with a real Prometheus.

`observed` reads one rollout from the events of watches, `figures` makes percentiles of many,
`cluster` watches and asks, `scene` puts up what is rolled back.
"""
