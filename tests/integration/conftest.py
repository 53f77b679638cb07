"""What the tests of this room share: the local server."""

from servers import server as server
