"""SQS queues as a source: messages name log files in S3, or hold events.

`location` parses the name of a queue, `client` talks to SQS, `in_work` keeps messages invisible while they are in work,
`message_queue` receives them and decides what becomes of each.
"""
