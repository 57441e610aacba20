"""The story of the demo, and the public doors that it is played through. The end-to-end tests play the same."""
