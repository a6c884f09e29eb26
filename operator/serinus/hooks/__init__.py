"""Ask other systems about a rollout, in Flagger's words: outside of all passes."""
