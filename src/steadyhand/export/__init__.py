"""One file that runs anywhere."""
