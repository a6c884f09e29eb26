"""How often rollouts are decided wrongly, and how fast rightly: simulated, beside the peers' rules.

`catalogue` lists the cases, `traffic`, `spread` and `labels` draw what the pods of a case count,
`by_rounds` and `by_samples` let the product judge it, `peers` what others would have done.
"""
