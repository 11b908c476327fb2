"""What devices draw: measured fractions of their power, and how far they err."""
