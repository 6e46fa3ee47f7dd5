"""What all rooms share: errors, files, flags of data, how programs begin and end."""
