"""What runs in Jobs and serving pods: features, training, artifacts, the model server."""
