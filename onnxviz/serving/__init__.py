"""A model behind a page of this machine: pictures are dropped on it, and the maps follow."""
