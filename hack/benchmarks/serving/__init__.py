"""`hack/bench serving`: our model server beside those of others, on one core."""
