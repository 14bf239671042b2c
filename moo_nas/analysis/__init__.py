"""What runs found, as numbers, pictures and pages; on tables and arrays only."""
