"""HDF5: one reader, and what each family of recorders does with it, one a file."""
