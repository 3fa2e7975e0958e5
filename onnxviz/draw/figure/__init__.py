"""Figures for print: maps laid out in centimetres with text in points, drawn as PDF, SVG or pixels.

A figure is data first (`figure_parts`), laid out by `layout_cm`, then drawn by one of three writers.
"""
