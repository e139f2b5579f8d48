"""A finished output folder as a BagIt bag with PREMIS events.

Not here: checking an output folder against its manifest (`serving.manifest.fixity`).
"""
