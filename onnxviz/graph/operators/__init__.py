"""What operators do: which input positions an output position reads, and which axis is what."""
