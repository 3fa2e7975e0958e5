"""From a model, a feed and a choice of values to activations: plans the pieces of graph to run, and runs them."""
