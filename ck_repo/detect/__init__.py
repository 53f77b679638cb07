"""Software, models and data sets that are on the machine already: looked at, never changed."""
