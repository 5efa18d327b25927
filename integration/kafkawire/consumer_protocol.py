"""librdkafka's consumers of the new protocol (KIP-848, group.protocol=consumer) against a broker: members that join, leave, are
killed, and static ones; both assignors, and topics by an expression.

The connection comes from the environment, as in confluent.py. The mechanism and a name for topics are arguments. It fails by an
exception, and prints what it has done.
"""

import os
import subprocess
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType)
from confluent_kafka import ConsumerGroupType

from librdkafka import MECHANISM, connection

NAME = sys.argv[2]
TOPIC, PARTITIONS, MESSAGES = NAME + "-served", 6, 300


def member(group, **more):
    return Consumer(connection(**{
        "group.id": group, "group.protocol": "consumer", "auto.offset.reset": "earliest", "enable.auto.commit": False, **more}))


def subscribed(group, topics=None, **more):
    m = member(group, **more)
    m.subscribe(topics or [TOPIC])
    return m


def produce(topic=TOPIC):
    producer = Producer(connection())
    failed = []
    for i in range(MESSAGES):
        producer.produce(topic, partition=i % PARTITIONS, value="%d" % i, on_delivery=lambda err, _: failed.append(err) if err else None)
    assert producer.flush(30) == 0 and not failed, failed


def until(what, members, ok, got=None, seconds=60):
    """Polls until something is so."""
    end = time.time() + seconds
    while not ok():
        assert time.time() < end, "not after %d seconds: %s" % (seconds, what)
        for m in members:
            for message in m.consume(100, 0.1):
                assert not message.error(), message.error()
                if got is not None:
                    got.append((message.topic(), message.partition(), message.offset()))


def shared(members):
    """Whether the members have all partitions between them, none twice, and none has two more than another."""
    sizes = [len(m.assignment()) for m in members]
    parts = {(p.topic, p.partition) for m in members for p in m.assignment()}
    return len(parts) == sum(sizes) == PARTITIONS and max(sizes) - min(sizes) < 2


def commit(members):
    for m in members:
        try:
            m.commit(asynchronous=False)
        except KafkaException as e:
            assert e.args[0].name() == "_NO_OFFSET", e


def set_times(admin, group):
    """A short session, so that the dead are found soon."""
    resource = ConfigResource(ResourceType.GROUP if hasattr(ResourceType, "GROUP") else ResourceType(32), group, incremental_configs=[
        ConfigEntry("consumer.session.timeout.ms", "6000", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("consumer.heartbeat.interval.ms", "1000", incremental_operation=AlterConfigOpType.SET)])
    admin.incremental_alter_configs([resource])[resource].result(10)


def join_and_leave(group, assignor):
    got = []
    members = [subscribed(group, **{"group.remote.assignor": assignor})]
    until("one member reads all", members, lambda: shared(members) and len(set(got)) == MESSAGES, got)
    commit(members)
    members += [subscribed(group, **{"group.remote.assignor": assignor}) for _ in range(2)]
    until("three members share", members, lambda: shared(members), got)
    members.pop(0).close()
    until("two members share", members, lambda: shared(members), got)
    produce()
    until("all is read", members, lambda: len(set(got)) == 2 * MESSAGES, got)
    assert len(got) == 2 * MESSAGES, "%d messages, of which the first %d were committed" % (len(got), MESSAGES)
    commit(members)
    for m in members:
        m.close()


def kill(group):
    """A process that is killed leaves its partitions to the others once its session is over."""
    other = subprocess.Popen([sys.executable, os.path.abspath(__file__), MECHANISM, NAME, "member", group], stdout=subprocess.PIPE)
    line = other.stdout.readline()
    assert line == b"has all\n", line
    members = [subscribed(group)]
    until("the other one gives up half", members, lambda: len(members[0].assignment()) == PARTITIONS // 2)
    other.kill()
    other.wait()
    until("the dead one's are taken over", members, lambda: shared(members))
    members[0].close()


def static(group):
    a, b = (subscribed(group, **{"group.instance.id": name}) for name in "ab")
    until("two members share", [a, b], lambda: shared([a, b]))
    had = sorted((p.topic, p.partition) for p in a.assignment())
    kept = sorted((p.topic, p.partition) for p in b.assignment())
    a.close()  # a static member that closes means to come back
    a = subscribed(group, **{"group.instance.id": "a"})
    until("it is back", [a, b], lambda: shared([a, b]))
    assert sorted((p.topic, p.partition) for p in a.assignment()) == had, (a.assignment(), had)
    assert sorted((p.topic, p.partition) for p in b.assignment()) == kept, (b.assignment(), kept)
    second = subscribed(group, **{"group.instance.id": "b"})
    end = time.time() + 30
    while True:
        assert time.time() < end, "a second member of an instance is not refused"
        message = second.poll(0.2)
        if message is not None and message.error():
            assert "instance ID is still used" in str(message.error()), message.error()
            break
        b.poll(0)
        a.poll(0)
    second.close()
    for m in (a, b):
        m.close()


def main():
    admin = AdminClient(connection())
    admin.poll(0)  # gets the token
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(10)
    produce()
    for assignor in ("uniform", "range"):
        set_times(admin, NAME + "-" + assignor)
    join_and_leave(NAME + "-uniform", "uniform")
    got, members = [], [subscribed(NAME + "-range", ["^%s-serv.*" % NAME], **{"group.remote.assignor": "range"}) for _ in range(2)]
    until("two members share what an expression matches", members, lambda: shared(members), got)
    until("all is read", members, lambda: len(set(got)) == 2 * MESSAGES, got)
    for m in members:
        m.close()
    for group, test in (("kill", kill), ("static", static)):
        set_times(admin, NAME + "-" + group)
        test(NAME + "-" + group)
    served = admin.list_consumer_groups(types={ConsumerGroupType.CONSUMER}).result(10).valid
    assert {NAME + "-uniform", NAME + "-static"} <= {g.group_id for g in served}, served
    group = NAME + "-uniform"
    d = admin.describe_consumer_groups([group])[group].result(10)
    assert d.type == ConsumerGroupType.CONSUMER and d.state.name == "EMPTY", (d.type, d.state)
    offsets = member(group).committed([TopicPartition(TOPIC, p) for p in range(PARTITIONS)], 10)
    assert sum(o.offset for o in offsets) == 2 * MESSAGES, offsets
    # An empty group may become one of the classic protocol, at the offsets that it has, and the other way round.
    classic = Consumer(connection(**{"group.id": group, "auto.offset.reset": "earliest"}))
    classic.subscribe([TOPIC])
    until("a classic member has all", [classic], lambda: shared([classic]))
    refused = subscribed(group)
    end = time.time() + 30
    while True:
        assert time.time() < end, "a member of another protocol is not refused"
        message = refused.poll(0.2)
        if message is not None and message.error():
            assert "group id does not exist" in str(message.error()), message.error()
            break
        classic.poll(0)
    refused.close()
    classic.close()
    m = subscribed(group)
    until("a member has all again", [m], lambda: shared([m]))
    m.close()
    admin.delete_consumer_groups([group])[group].result(10)
    print("confluent-kafka", confluent_kafka.version(), "group.protocol=consumer", MECHANISM, "ok")


def live(group):
    m = subscribed(group)
    until("it has all", [m], lambda: shared([m]))
    print("has all", flush=True)
    while True:
        m.poll(0.1)


if len(sys.argv) > 3:
    live(sys.argv[4])
else:
    main()
