"""What all packages here share: errors, files, flags of datasets, the start and end of a program."""
