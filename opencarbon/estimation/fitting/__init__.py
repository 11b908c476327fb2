"""How fast devices train: runs judged, pooled and fitted, and what a refit changes."""
