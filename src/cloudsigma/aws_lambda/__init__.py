"""A function of AWS Lambda: events of SQS, SNS, S3, EventBridge, Kinesis and CloudWatch Logs → matches to publish."""

from cloudsigma.aws_lambda.handler import Handler, Publish, handler

__all__ = ["Handler", "Publish", "handler"]
