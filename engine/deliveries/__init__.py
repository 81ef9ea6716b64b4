"""Deliveries of events to the endpoints of subscriptions, by any number of workers.

A worker takes subscriptions by a lease (``service``), reads the outbox for them (``tail``), sends
(``delivery``) and writes down how far it is (``progress``). What it has sent and not written down when it is
killed is delivered once more by the next.
"""
