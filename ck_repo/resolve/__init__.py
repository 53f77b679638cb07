"""From tags to a plan: which components, in which order, and why. Nothing here changes anything."""
