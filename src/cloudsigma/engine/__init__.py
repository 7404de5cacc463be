"""Evaluates rules on records; needs neither pySigma nor YAML."""
