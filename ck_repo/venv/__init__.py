"""Python environments: made from a template, entered, listed, removed."""
