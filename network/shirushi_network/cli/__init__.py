"""The commands of this floor: `shirushi consortium` and `shirushi demo`."""
