"""A rule for each operator: from the gradients of its outputs those of its inputs; one registry, a file a family."""
