"""`python -m egonorm` is the command `egonorm`."""

from egonorm.cli import main

if __name__ == "__main__":
    main()
