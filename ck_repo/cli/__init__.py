"""The command line: parses words into a request, and prints an action's answer as text or JSON."""
