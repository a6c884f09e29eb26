"""A Kubernetes cluster on one machine, for trying and testing Serinus.

`up` uses, in this order: the cluster of `SERINUS_KUBECONFIG`; kind, where a container engine runs;
else a native cluster, built from Go modules and run as plain processes (needs root). The native
cluster belongs to the machine: checkouts share it, and a lock keeps them from starting it twice.

Standard library only, because it runs before anything is installed.
"""
