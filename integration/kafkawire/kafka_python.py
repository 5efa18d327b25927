"""kafka-python against a broker: produces, reads back, seeks and asks for offsets.

Which version of kafka-python it is, PYTHONPATH decides. The connection comes from the environment:
KAFKA_BROKERS, KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_TLS_CA for TLS. The mechanism and a name for topics are arguments.
It fails by an exception, and prints what it has done.
"""

import os
import sys
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

MECHANISM, NAME = sys.argv[1], sys.argv[2]
MESSAGES = 300


def connection():
    config = {"bootstrap_servers": os.environ["KAFKA_BROKERS"], "sasl_mechanism": MECHANISM}
    config["security_protocol"] = "SASL_SSL" if os.environ.get("KAFKA_TLS_CA") else "SASL_PLAINTEXT"
    if os.environ.get("KAFKA_TLS_CA"):
        config["ssl_cafile"] = os.environ["KAFKA_TLS_CA"]
    if MECHANISM == "OAUTHBEARER":
        config["sasl_oauth_token_provider"] = Token()
    else:
        config["sasl_plain_username"] = os.environ["KAFKA_USERNAME"]
        config["sasl_plain_password"] = os.environ["KAFKA_PASSWORD"]
    return config


def token_class():
    try:
        from kafka.sasl.oauth import AbstractTokenProvider
    except ImportError:
        try:
            from kafka.net.sasl.oauth import AbstractTokenProvider
        except ImportError:
            from kafka.oauth.abstract import AbstractTokenProvider

    class Token(AbstractTokenProvider):
        def token(self):
            return os.environ["KAFKA_PASSWORD"]

    return Token


if MECHANISM == "OAUTHBEARER":
    Token = token_class()


def create(topic, partitions):
    admin = KafkaAdminClient(**connection())
    admin.create_topics([NewTopic(topic, partitions, 1)])
    admin.close()


def produce(topic, codec):
    producer = KafkaProducer(compression_type=codec, linger_ms=5, **connection())
    sent = []
    for i in range(MESSAGES):
        key = b"key-%d" % (i % 10)
        headers = [("codec", str(codec).encode())]
        sent.append(producer.send(topic, key=key, value=b"%d " % i * 20, headers=headers))
    producer.flush(30)
    offsets = [f.get(timeout=30) for f in sent]
    producer.close()
    return offsets


def consume(consumer, count):
    got = []
    end = time.time() + 30
    while len(got) < count and time.time() < end:
        for records in consumer.poll(timeout_ms=500).values():
            got.extend(records)
    assert len(got) == count, "%d messages of %d" % (len(got), count)
    return got


def check(got):
    last = {}
    for m in got:
        n = int(m.value.split(b" ")[0])
        assert m.value == b"%d " % n * 20, m.value
        assert last.get(m.key, -1) < n, "the order of %s" % m.key
        last[m.key] = n


def read(topic, partitions):
    consumer = KafkaConsumer(enable_auto_commit=False, **connection())
    tps = [TopicPartition(topic, p) for p in range(partitions)]
    consumer.assign(tps)
    ends = consumer.end_offsets(tps)
    begins = consumer.beginning_offsets(tps)
    total = sum(ends[tp] - begins[tp] for tp in tps)
    assert total == MESSAGES, total
    consumer.seek_to_beginning()
    check(consume(consumer, total))
    tp = max(tps, key=lambda tp: ends[tp])
    consumer.seek(tp, ends[tp] - 1)
    assert consume(consumer, 1)[0].offset == ends[tp] - 1
    times = consumer.offsets_for_times({tp: 0})
    assert times[tp].offset == 0, times
    assert consumer.offsets_for_times({tp: int(time.time() * 1000) + 10**7})[tp] is None
    consumer.close()


def group(topic, name):
    """Two members share a topic, commit, and a third goes on behind them."""
    config = dict(
        group_id=name, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=6000, heartbeat_interval_ms=500, **connection())
    first = KafkaConsumer(topic, **config)
    half = []
    while len(half) < MESSAGES // 2:
        for records in first.poll(timeout_ms=500).values():
            half.extend(records)
    first.commit()
    first.close()
    if len(half) < MESSAGES:
        second = KafkaConsumer(topic, **config)
        rest = consume(second, MESSAGES - len(half))
        second.commit()
        second.close()
        half += rest
    assert len({(m.partition, m.offset) for m in half}) == MESSAGES
    check(sorted(half, key=lambda m: (m.partition, m.offset)))
    third = KafkaConsumer(**config)
    committed = [third.committed(TopicPartition(topic, p)) for p in range(3)]
    assert sum(committed) == MESSAGES, committed
    third.close()


def main():
    for codec in (None, "gzip"):
        topic = "%s-%s" % (NAME, codec)
        create(topic, 3)
        produce(topic, codec)
        read(topic, 3)
    group("%s-gzip" % NAME, "%s-group" % NAME)
    print("kafka-python", kafka.__version__, MECHANISM, "ok")


main()
