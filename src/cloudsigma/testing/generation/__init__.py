"""Records and cases generated for a rule."""
