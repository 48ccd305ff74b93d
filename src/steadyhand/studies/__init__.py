"""The experiments: which runs they take, where those are done, and what comes of them."""
