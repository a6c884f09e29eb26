"""Evidence: counters in, verdict out. Pure.

`advance.advance_analysis` is the way in; the path of a sample is `promql` -> `counters` ->
`rounds` -> `eprocess` -> `judge`.
"""
