"""redis-py: strings to streams, pipelines, transactions, messages and commands that wait, in RESP2 and RESP3, with asyncio and without.

REDIS_URL names the server, REDIS_TLS_CA the certificate to trust with TLS. It fails by an exception, and prints what it has done.
"""

import asyncio
import os
import threading

import redis
import redis.asyncio

url = os.environ["REDIS_URL"]
options = {"decode_responses": True, "socket_timeout": 60, "socket_connect_timeout": 60}  # also on a slow machine
if url.startswith("rediss:"):
    options["ssl_ca_certs"] = os.environ["REDIS_TLS_CA"]


def refused(kind, text, call, *args):
    """Calls what must fail with an error of a kind, whose text begins so."""
    try:
        call(*args)
    except kind as e:
        assert str(e).startswith(text), e
    else:
        raise AssertionError(f"{args} is not refused")


def commands(r):
    assert r.set("s", 1, ex=100) is True
    assert r.incr("s", 41) == 42
    assert r.incrbyfloat("s", 0.5) == 42.5
    assert r.getrange("s", 0, 1) == "42"
    assert r.set("s", "x", nx=True) is None
    assert r.mset({"a": 1, "b": 2, "k3": "x"}) is True
    assert r.mget("a", "none", "b") == ["1", None, "2"]
    assert 99 <= r.ttl("s") <= 100
    assert r.hset("h", mapping={"f": 1, "g": 2}) == 2
    assert r.hgetall("h") == {"f": "1", "g": "2"}
    assert r.hgetall("none") == {}
    assert sorted(r.hkeys("h")) == ["f", "g"]
    assert r.rpush("l", "a", "b", "c") == 3
    assert r.lpop("l", 2) == ["a", "b"]
    assert r.lpop("none") is None
    assert r.lmove("l", "l2", "LEFT", "RIGHT") == "c"
    assert r.sadd("set", "x", "y") == 2
    assert set(r.smembers("set")) == {"x", "y"}
    assert r.zadd("z", {"one": 1, "two": 2.5, "all": float("inf")}) == 3
    assert r.zscore("z", "two") == 2.5
    assert [tuple(row) for row in r.zrange("z", 0, -1, withscores=True)] == [("one", 1), ("two", 2.5), ("all", float("inf"))]
    assert r.zrank("z", "none") is None
    assert [list(row) for row in r.zpopmin("z", 1)] == [["one", 1]]
    assert r.geoadd("geo", (13.361389, 38.115556, "Palermo")) == 1
    (longitude, latitude), nowhere = r.geopos("geo", "Palermo", "none")
    assert abs(longitude - 13.361389) < 1e-5 and nowhere is None
    assert r.xadd("x", {"f": "v"}, id="1-1") == "1-1"
    assert r.xgroup_create("x", "g", "0") is True
    assert "1-1" in str(r.xreadgroup("g", "c", {"x": ">"}))
    assert r.xpending("x", "g")["pending"] == 1
    assert r.xinfo_stream("x")["length"] == 1
    assert r.xinfo_groups("x")[0]["name"] == "g"
    assert r.xack("x", "g", "1-1") == 1
    assert not r.xread({"x": "1-1"})
    assert r.pfadd("hll", "a", "b") == 1 and r.pfcount("hll") == 2
    assert r.eval("return {KEYS[1], ARGV[1], 3}", 1, "k", "a") == ["k", "a", 3]
    twice = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)")
    assert twice(keys=["twice"], args=[4]) == 8
    assert twice(keys=["twice"], args=[4]) == 16
    assert set(r.scan_iter(match="*", count=5)) == set(r.keys("*"))
    assert r.info()["redis_version"].startswith("7.")
    assert r.client_list()[0]["user"] == "default"
    r.client_setname("python")
    assert r.ping() is True
    assert r.dbsize() == len(r.keys())
    refused(redis.ResponseError, "WRONGTYPE", r.lpush, "h", "a")
    refused(redis.ResponseError, "value is not an integer", r.incr, "k3")
    refused(redis.ResponseError, "unknown command 'NOSUCH'", r.execute_command, "NOSUCH", "a")
    value = bytes(range(256)) * 4096
    r.set("binary", value)
    raw = redis.from_url(url, **{**options, "decode_responses": False})
    assert raw.get("binary") == value
    raw.close()


def pipelines(r):
    n = 10_000
    p = r.pipeline(transaction=False)
    for i in range(n):
        p.set(f"pipe:{i % 500}", i)
    assert p.execute() == [True] * n
    assert r.get("pipe:499") == str(n - 1)
    p = r.pipeline(transaction=False).incr("n").lpush("n", "x").incr("n")
    first, error, last = p.execute(raise_on_error=False)
    assert (first, last) == (1, 2) and str(error).startswith("WRONGTYPE")


def transactions(r):
    assert r.pipeline().incr("n").get("n").execute() == [3, "3"]
    calls = []

    def twice(p):
        value = int(p.get("n"))
        if not calls:  # somebody else comes between
            r.set("n", 10)
        calls.append(value)
        p.multi()
        p.set("n", value * 2)

    assert r.transaction(twice, "n") == [True]
    assert calls == [3, 10] and r.get("n") == "20"
    with r.lock("lock", timeout=10, blocking_timeout=1) as lock:
        assert lock.owned()
        assert not r.lock("lock", blocking=False).acquire()


def messages(r):
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe("news")
    p.psubscribe("n*")
    for _ in range(2):
        p.get_message(timeout=5)
    assert r.publish("news", "one") == 2
    got = []
    while len(got) < 2:
        message = p.get_message(timeout=5)
        if message:
            got.append((message["type"], message["channel"], message["data"]))
    assert sorted(got) == [("message", "news", "one"), ("pmessage", "news", "one")]
    p.ping()
    p.close()


def waiting(r):
    timer = threading.Timer(0.1, lambda: (r.rpush("wait:l", "a"), r.zadd("wait:z", {"m": 1.5}), r.xadd("wait:x", {"f": "v"}, id="2-1")))
    timer.start()
    assert list(r.blpop(["wait:none", "wait:l"], 0)) == ["wait:l", "a"]
    assert list(r.bzpopmin("wait:z", 30)) == ["wait:z", "m", 1.5]
    assert "2-1" in str(r.xread({"wait:x": "1-1"}, block=30_000))
    timer.join()
    assert r.brpop("wait:none", 0.05) is None


async def with_asyncio(protocol):
    r = redis.asyncio.from_url(url, protocol=protocol, **options)
    assert await r.set("async", "yes")
    assert await asyncio.gather(*(r.incr("async:n") for _ in range(20))) is not None
    assert await r.get("async:n") == "20"
    async with r.pipeline(transaction=True) as p:
        assert await p.incr("async:n").get("async:n").execute() == [21, "21"]
    popped = asyncio.create_task(r.blpop(["async:l"], 0))
    await r.rpush("async:l", "a")
    assert list(await popped) == ["async:l", "a"]
    async with r.pubsub(ignore_subscribe_messages=True) as p:
        await p.subscribe("async:news")
        await p.get_message(timeout=5)
        assert await r.publish("async:news", "one") == 1
        message = None
        while message is None:
            message = await p.get_message(timeout=5)
        assert message["data"] == "one"
    await r.aclose()


for protocol in (2, 3):
    r = redis.from_url(url, protocol=protocol, **options)
    r.flushdb()
    for step in (commands, pipelines, transactions, messages, waiting):
        step(r)
    r.close()
    asyncio.run(with_asyncio(protocol))
try:
    redis.from_url(url.replace("default:", "default:wrong"), retry=None, **options).ping()
except redis.AuthenticationError:
    pass
else:
    raise AssertionError("a wrong password is taken")
print("redis-py", redis.__version__, "ok")
