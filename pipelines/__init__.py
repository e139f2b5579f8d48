"""Image archives to Lab records: the Beam job `photochrom prepare`."""
