"""A record meets a rule; needs neither pySigma nor YAML."""
