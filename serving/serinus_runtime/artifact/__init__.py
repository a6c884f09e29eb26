"""The model package: save, load, digest, signature, compiled predictors."""
