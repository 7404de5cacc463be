"""Help while rules are written: a language server with findings, completion, hover and cases; JSON Schemas.

`server` speaks the protocol (pygls); the other modules know nothing of it. `cursor` says where the cursor is in text
that may not be YAML yet.
"""
