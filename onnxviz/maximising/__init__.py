"""`maximise`: pictures made for units of a network, by going up the gradient of what they answer."""
