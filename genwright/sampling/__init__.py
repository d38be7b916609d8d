"""Drawing samples step by step, for the command line, evaluation and servers alike."""
