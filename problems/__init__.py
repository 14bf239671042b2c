"""Ready search problems, each a worked example of bringing your own."""
