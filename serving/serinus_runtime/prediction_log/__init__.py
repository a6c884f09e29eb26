"""The log of predictions: what was asked and answered, as Parquet files in the store."""
