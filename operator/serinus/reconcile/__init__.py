"""One module a kind: reconcile(snapshot, now) -> Decision. Pure and total."""
