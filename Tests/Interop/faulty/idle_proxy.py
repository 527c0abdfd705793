"""Ends each connection on which nothing comes for a second, as a proxy in front of a server does after 60."""

from plain import Connection, run


class IdleProxy(Connection):
    def __init__(self, connection):
        connection.settimeout(1)
        super().__init__(connection)


run(IdleProxy)
