"""redis-py, whose server is killed, and started again: it goes on by itself, with its subscription and its lock.

REDIS_URL names the server, REDIS_TLS_CA the certificate to trust with TLS. The program prints a line when the server is to be killed and
started again, and reads one when that has been done. It fails by an exception, and prints what it has done.
"""

import os
import sys
import threading

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

url = os.environ["REDIS_URL"]
options = {
    "decode_responses": True,
    "retry": Retry(ConstantBackoff(0.05), 1000),
    "retry_on_error": [redis.ConnectionError],
}
if url.startswith("rediss:"):
    options["ssl_ca_certs"] = os.environ["REDIS_TLS_CA"]
r = redis.from_url(url, **options)
r.set("kept", "yes")
lock = r.lock("lock", timeout=600)
assert lock.acquire()
subscription = r.pubsub(ignore_subscribe_messages=True)
subscription.subscribe("news")
subscription.get_message(timeout=5)
popped = []
waiter = threading.Thread(target=lambda: popped.extend(r.blpop(["list"], 0)))
waiter.start()

print("restart the server", flush=True)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set())).start()
answered = 0
while not ended.is_set():
    r.incr("n")
    answered += 1

assert r.get("kept") == "yes"
assert int(r.get("n")) >= answered
assert lock.owned()
lock.release()
# The subscription comes back when it is read.
message = None
while message is None:
    r.publish("news", "again")
    message = subscription.get_message(timeout=0.1)
assert message["data"] == "again"
r.rpush("list", "a")
waiter.join()
assert popped == ["list", "a"]
print("redis-py", redis.__version__, "ok", flush=True)
os._exit(0)
