"""Celery with Redis as its broker and as its store of results: tasks, retries, a countdown, a group, a chord, a task that is revoked.

REDIS_URL names the server, REDIS_TLS_CA the certificate to trust with TLS. The worker runs in this process, in threads. It fails by an
exception, and prints what it has done.
"""

import os
import ssl
import time

import celery
from celery.contrib.testing.worker import start_worker

url = os.environ["REDIS_URL"]
app = celery.Celery("app", broker=url, backend=url)
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_track_started=True,
)
if url.startswith("rediss:"):
    tls = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": os.environ["REDIS_TLS_CA"]}
    app.conf.update(broker_use_ssl=tls, redis_backend_use_ssl=tls)

WAIT = 60


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def fails_at_first(self):
    if self.request.retries < 1:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def fails():
    raise ValueError("as it should")


with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False, shutdown_timeout=WAIT):
    assert add.delay(2, 3).get(timeout=WAIT) == 5
    assert celery.group(add.s(i, i) for i in range(20))().get(timeout=WAIT) == [2 * i for i in range(20)]
    assert celery.chord((add.s(i, 1) for i in range(5)), total.s())().get(timeout=WAIT) == 15
    assert celery.chain(add.s(1, 2), add.s(10))().get(timeout=WAIT) == 13
    assert fails_at_first.delay().get(timeout=WAIT) == 1
    try:
        fails.delay().get(timeout=WAIT)
    except ValueError as e:
        assert str(e) == "as it should"
    else:
        raise AssertionError("an error is lost")
    begin = time.monotonic()
    assert add.apply_async((1, 1), countdown=1).get(timeout=WAIT) == 2
    assert time.monotonic() - begin >= 0.9
    doomed = add.apply_async((1, 1), countdown=3600)
    doomed.revoke()
    ask = app.control.inspect(timeout=WAIT, limit=1)
    assert [doomed.id] in ask.revoked().values()
    assert list(ask.ping().values()) == [{"ok": "pong"}]
app.backend.client.close()
print("celery", celery.__version__, "ok")
os._exit(0)  # its threads need not end
