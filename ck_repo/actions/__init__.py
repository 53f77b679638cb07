"""The actions of the command line, one file for each CK module: read options, call one function, return an answer."""
