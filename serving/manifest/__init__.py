"""The output folder's manifest: rows, their file layout, one writer and one reader, audit, status and fixity.

Not here: which inputs are done again (`serving.resume`), the copies themselves (`serving.copies`).
"""
