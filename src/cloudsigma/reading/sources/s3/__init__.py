"""Reads records from S3: `s3://bucket/prefix`.

`key_layout` parses prefixes, `listing` lists the selected objects, `download` fetches them ahead, and `source` turns
them into sources. `object_store` defines the interface of clients; `boto3_client` and `obstore_client` implement it,
and `clients` chooses between them.
"""
