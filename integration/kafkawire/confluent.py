"""confluent-kafka, which is librdkafka, against a broker: administration, an idempotent producer with
every codec, and a group of three of which one leaves and one goes without a word.

The connection comes from the environment: KAFKA_BROKERS, KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_TLS_CA for TLS.
The mechanism and a name for topics are arguments. It fails by an exception, and prints what it has done.
"""

import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType)

from librdkafka import MECHANISM, connection

NAME = sys.argv[2]
MESSAGES = 300


def administrate():
    admin = AdminClient(connection())
    admin.poll(0)  # gets the token
    topic = NAME + "-admin"
    admin.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "60000"})])[topic].result(10)
    try:
        admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(10)
        raise AssertionError("a topic is made twice")
    except KafkaException as e:
        assert e.args[0].name() == "TOPIC_ALREADY_EXISTS", e
    resource = ConfigResource(ResourceType.TOPIC, topic)
    configs = admin.describe_configs([resource])[resource].result(10)
    assert configs["retention.ms"].value == "60000", configs
    edit = ConfigEntry("retention.ms", "120000", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[edit])
    admin.incremental_alter_configs([change])[change].result(10)
    assert admin.describe_configs([resource])[resource].result(10)["retention.ms"].value == "120000"
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(10)
    assert len(admin.list_topics(topic, 10).topics[topic].partitions) == 3
    cluster = admin.describe_cluster().result(10)
    assert len(cluster.nodes) == 1
    admin.delete_topics([topic])[topic].result(10)
    assert topic not in admin.list_topics(timeout=10).topics
    for codec in CODECS:
        admin.create_topics([NewTopic(NAME + "-" + codec, 3, 1)])[NAME + "-" + codec].result(10)
    return admin


CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def produce(topic, codec):
    producer = Producer(connection(**{"compression.type": codec, "enable.idempotence": True, "linger.ms": 5}))
    failed = []
    for i in range(MESSAGES):
        producer.produce(
            topic, key="key-%d" % (i % 10), value="%d " % i * 20, headers={"codec": codec},
            on_delivery=lambda err, _: failed.append(err) if err else None)
    assert producer.flush(30) == 0 and not failed, failed


def poll(consumers, count, got):
    end = time.time() + 45
    while len({(m.partition(), m.offset()) for m in got}) < count and time.time() < end:
        for consumer in consumers:
            for m in consumer.consume(100, 0.1):
                assert not m.error(), m.error()
                got.append(m)
    assert len({(m.partition(), m.offset()) for m in got}) == count, len(got)


def check(got):
    last = {}
    for m in sorted(got, key=lambda m: (m.partition(), m.offset())):
        n = int(m.value().split(b" ")[0])
        assert m.value() == b"%d " % n * 20, m.value()
        assert last.get(m.key(), -1) <= n, "the order of %s" % m.key()
        last[m.key()] = n


def read(topic, codec):
    consumer = Consumer(connection(**{"group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": False}))
    low_high = [consumer.get_watermark_offsets(TopicPartition(topic, p), 10) for p in range(3)]
    assert sum(high - low for low, high in low_high) == MESSAGES, low_high
    consumer.assign([TopicPartition(topic, p, 0) for p in range(3)])
    got = []
    poll([consumer], MESSAGES, got)
    check(got)
    assert got[0].headers() == [("codec", codec.encode())]
    times = consumer.offsets_for_times([TopicPartition(topic, 0, 1)], 10)
    assert times[0].offset == 0, times
    consumer.close()


def group(topic, name, assignor):
    config = connection(**{
        "group.id": name, "auto.offset.reset": "earliest", "enable.auto.commit": False, "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 300, "partition.assignment.strategy": assignor})
    members = [Consumer(config) for _ in range(3)]
    for m in members:
        m.subscribe([topic])
    got = []
    poll(members, MESSAGES, got)
    for m in members:
        if m.assignment():
            try:
                m.commit(asynchronous=False)
            except KafkaException as e:
                # Nothing to commit, or the members are about to share the partitions anew.
                assert e.args[0].name() in ("_NO_OFFSET", "ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS"), e
    check(got)
    members[0].close()
    produce(topic, "none")
    poll(members[1:], MESSAGES * 2, got)
    for m in members[1:]:
        m.close()


def main():
    admin = administrate()
    for codec in CODECS:
        produce(NAME + "-" + codec, codec)
        read(NAME + "-" + codec, codec)
    group(NAME + "-none", NAME + "-eager", "range")
    group(NAME + "-gzip", NAME + "-cooperative", "cooperative-sticky")
    names = {g.group_id for g in admin.list_consumer_groups().result(10).valid}
    assert {NAME + "-eager", NAME + "-cooperative"} <= names, names
    for f in admin.delete_consumer_groups([NAME + "-eager"]).values():
        f.result(10)
    print("confluent-kafka", confluent_kafka.version(), MECHANISM, "ok")


main()
