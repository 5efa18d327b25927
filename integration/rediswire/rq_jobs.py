"""RQ: jobs, their results and failures, one after another, a retry, a schedule, and workers.

REDIS_URL names the server, REDIS_TLS_CA the certificate to trust with TLS. It fails by an exception, and prints what it has done.
"""

import operator
import os
from datetime import timedelta

import redis
import rq
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

url = os.environ["REDIS_URL"]
connection = redis.from_url(url, **({"ssl_ca_certs": os.environ["REDIS_TLS_CA"]} if url.startswith("rediss:") else {}))
connection.flushdb()
queue = rq.Queue("jobs", connection=connection)


def result(job):
    job.refresh()
    latest = job.latest_result()
    return latest and latest.return_value


jobs = queue.enqueue_many([rq.Queue.prepare_data(operator.add, args=(i, i)) for i in range(20)])
first = queue.enqueue(operator.mul, 6, 7)
second = queue.enqueue(operator.add, 1, 1, depends_on=first)
failing = queue.enqueue(operator.truediv, 1, 0, retry=rq.Retry(max=1))
later = queue.enqueue_in(timedelta(hours=1), operator.add, 1, 1)
assert len(queue) == 22
assert second.get_status() == "deferred"

# What has been enqueued is done, each job in a process of its own, as "rq worker --burst" does.
worker = rq.Worker([queue], connection=connection, name="worker-1")
assert worker.work(burst=True, logging_level="ERROR")

assert [result(job) for job in jobs] == [2 * i for i in range(20)]
assert result(first) == 42 and result(second) == 2
assert failing.get_status(refresh=True) == "failed"
assert failing.id in FailedJobRegistry(queue=queue)
assert len(FinishedJobRegistry(queue=queue)) == 22
assert later.id in ScheduledJobRegistry(queue=queue)
later.cancel()
assert rq.Worker.all(connection=connection) == []
failing.delete()
queue.empty()
assert len(queue) == 0
print("rq", rq.VERSION, "ok")
