"""Pages, tables and plots. They take plain data, so that they render without any model."""
