"""What came of the advice, on the intensities that came true."""
