"""Faults of the machines that a night depends on, drawn by a seed: what readers see after each, and what mends it."""
