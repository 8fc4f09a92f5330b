"""What an installation needs: settings of Dagster's instance, kept as package data."""
