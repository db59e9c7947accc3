"""What issuing systems and recipients call."""
