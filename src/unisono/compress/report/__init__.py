"""What a recipe saved and what it cost: two versions of a predictor, measured side by side."""
