"""What is measured on a network of one's own: one module for each question a user asks."""
