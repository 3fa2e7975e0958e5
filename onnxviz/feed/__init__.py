"""Feeding: pictures, arrays, matrices and sounds become the arrays that a model takes."""
