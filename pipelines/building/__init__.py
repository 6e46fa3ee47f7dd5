"""How a dataset becomes a strips folder: the images that go in, the files that come out, and the checks on them."""
