"""What happens to traffic: steps, weights, revisions, and the rules that decide. Pure."""
