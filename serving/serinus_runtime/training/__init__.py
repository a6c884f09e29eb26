"""From a snapshot to a model: split, pipeline, evaluation, gates."""
