"""The control loop on a kube-apiserver of its own: no nodes, no controllers, loopback only."""
