"""Channel estimate and tracking."""
