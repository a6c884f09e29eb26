"""The words users see: the four kinds, their conditions, and the contract with Jobs."""
