"""Where the store is in each pod that has it: the contract of operator and runtime.

A module of its own, since the model server reads it and must not load what describes jobs.
"""

STORE_MOUNT_PATH = "/store"
