"""Notifications: matches → alerts → messages to channels, each written to an outbox before it is sent.

`alert` takes the facts of a message from a match, `outbox` groups alerts and keeps messages until they are sent,
`notifier` sends them, `channels` has one module for each kind of receiver. `config_file` alone reads YAML.
"""
