"""Forms in which data lies in files, one file each."""
