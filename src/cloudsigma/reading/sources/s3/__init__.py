"""S3 as a place where records are: `s3://bucket/prefix`.

`key_layout` says what a prefix means, `listing` which objects are asked for, `download` fetches them ahead, `source`
makes them sources. `object_store` is what a client must do; `boto3_client` and `obstore_client` do it, `clients`
chooses.
"""
