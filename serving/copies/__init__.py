"""The coloured copy of a scan: format, pixels, metadata, provenance, label, and the write.

Not here: which scans get one (`serving.screening`), its row (`serving.manifest`).
"""
