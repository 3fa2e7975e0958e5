"""A model over a data set: work in shards, whose results are the same whoever computes them, and survive a stop."""
