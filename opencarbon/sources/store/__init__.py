"""The append-only store of intensities and device fits, read as of a moment."""
