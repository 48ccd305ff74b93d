"""Pictures: out of films and arrays, as colour, at another size, decoded once and kept."""
