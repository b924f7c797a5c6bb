"""A house whose heartbeats come, or receipts go, over a connection of their own, and how that is disturbed."""
import signal

from house import loopback

USER = loopback.SUPERVISION_USER


def apart(configuration):
    configuration["broker"]["supervision"] = {"client_id": USER, "username": USER, "password_file": f"{USER}.password"}
    for device in configuration["sites"][0]["devices"]:
        device["silent_after_s"] = 2 if device["id"] == "gate" else 0


def receipts_apart(configuration):
    user = loopback.RECEIPTS_USER
    configuration["broker"]["receipts"] = {"client_id": user, "username": user, "password_file": f"{user}.password"}


def let(house, user, password):
    """The broker lets this user in with this password only, from now on."""
    house.broker.passwords[user] = password
    house.broker._write_files()
    house.broker.signal(signal.SIGHUP)
