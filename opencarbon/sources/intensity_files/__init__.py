"""Intensities from a user's own files, and the exports of Electricity Maps."""
