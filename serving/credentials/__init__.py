"""Content Credentials: certificates, keys and C2PA signatures of files.

Not here: the content of a copy's manifest (`serving.copies.provenance`).
"""
