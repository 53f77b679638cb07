"""Sessions in several processes, for runs that Python's lock would bound; LoadGen is in the main process.

`pool` has the queue and hands out batches, `child` is the program of a process that has some of the sessions. They share the
images and the answers as memory (`memory`), and exchange short messages (`messages`).
"""
