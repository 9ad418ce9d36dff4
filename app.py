"""Entry of the Hugging Face Space, and of `python app.py`: the same as `midalign demo`."""

import sys

from midalign_demo.cli import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
