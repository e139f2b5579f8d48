"""Lab TFRecords -> colorizer: training, evaluation and export."""
