"""The online table of a snapshot: the newest values of each entity, for requests without them."""
