"""`python -m genwright`: the command line."""

from genwright.commands.app import main

if __name__ == "__main__":
    main()
