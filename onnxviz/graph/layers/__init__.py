"""The catalogue of layers: which nodes are worth looking at, their kinds, names, taps and layouts."""
