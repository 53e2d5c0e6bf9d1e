"""From one `results.json`: one document model, and its faces as HTML, PDF and Word."""
