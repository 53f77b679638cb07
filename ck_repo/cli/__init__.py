"""The command line: words to a request, an action's answer to text or JSON."""
