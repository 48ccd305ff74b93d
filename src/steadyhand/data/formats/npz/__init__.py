"""One `.npz`: the plain format, and arrays of others."""
