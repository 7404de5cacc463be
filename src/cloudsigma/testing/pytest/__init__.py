"""The parts of the pytest plugin that are imported when a rule or case file is collected."""
