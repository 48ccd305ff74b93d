"""One verb a file: it parses, shows and exits, and decides nothing."""
