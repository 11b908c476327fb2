"""Where and when: windows, candidate places, the rules of choice, and the advice."""
