"""The actions of the command line, one file a CK module: options in, one call of a room below, an answer out."""
