"""How programs with librdkafka connect: by KAFKA_BROKERS, KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_TLS_CA for TLS, with the
mechanism that is the first argument.
"""

import os
import sys
import time

MECHANISM = sys.argv[1]


def connection(**more):
    config = {"bootstrap.servers": os.environ["KAFKA_BROKERS"], "sasl.mechanism": MECHANISM}
    config["security.protocol"] = "SASL_SSL" if os.environ.get("KAFKA_TLS_CA") else "SASL_PLAINTEXT"
    if os.environ.get("KAFKA_TLS_CA"):
        config["ssl.ca.location"] = os.environ["KAFKA_TLS_CA"]
    if MECHANISM == "OAUTHBEARER":
        config["oauth_cb"] = lambda _: (os.environ["KAFKA_PASSWORD"], time.time() + 3600)
    else:
        config["sasl.username"] = os.environ["KAFKA_USERNAME"]
        config["sasl.password"] = os.environ["KAFKA_PASSWORD"]
    config.update(more)
    return config
