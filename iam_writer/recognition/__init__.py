"""From a checkpoint or a descriptor to an answer: scanning, scoring, calibration, words."""
