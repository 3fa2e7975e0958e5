"""Why a model answers as it does: heat maps of its input, by gradients, by class activation, and by covering parts."""
