"""Files and folders by path: local, gs:// and s3://.

Here: reading, writing, listing and deleting by path, the connection to each object store and its retries, safe
names, JSON lines, local copies of remote folders. Not here: the content of the files.
"""
