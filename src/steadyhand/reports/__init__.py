"""Pages and pictures of what was found out; each page needs nothing but itself to be read."""
