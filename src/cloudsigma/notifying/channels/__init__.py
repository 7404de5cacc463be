"""One module for each kind of receiver: `send(channel, message)` → how the attempt ended."""
