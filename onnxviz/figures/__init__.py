"""Figures for print: layers of several inputs, channels of a layer, or kernels, laid out in centimetres."""
