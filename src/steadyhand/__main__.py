"""`python -m steadyhand`, the command by another name."""

import sys

from steadyhand.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
