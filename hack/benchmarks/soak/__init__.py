"""`hack/bench soak`: the model server under load for minutes."""
