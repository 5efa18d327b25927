"""An application that uses qstash and upstash-workflow as their documentation does, with FastAPI.

It runs against the server that QSTASH_URL names, and ends with status 0 if everything has come
as it should.
"""

import asyncio
import os
import socket

import uvicorn
from fastapi import FastAPI, Request, Response
from qstash import AsyncQStash, Receiver
from upstash_workflow import AsyncWorkflowContext
from upstash_workflow.fastapi import Serve

listener = socket.create_server(("127.0.0.1", 0))
base = f"http://127.0.0.1:{listener.getsockname()[1]}"

app = FastAPI()
serve = Serve(app)
client = AsyncQStash(os.environ["QSTASH_TOKEN"], base_url=os.environ["QSTASH_URL"])
receiver = Receiver(os.environ["QSTASH_CURRENT_SIGNING_KEY"], os.environ["QSTASH_NEXT_SIGNING_KEY"])

# What has come, by name.
results: dict = {}
arrived = asyncio.Event()


def came(name: str, value) -> None:
    results.setdefault(name, []).append(value)
    arrived.set()


async def until(name: str, count: int = 1) -> list:
    """Waits until something has come that often."""
    async with asyncio.timeout(60):
        while len(results.get(name, [])) < count:
            arrived.clear()
            await arrived.wait()
    return results[name]


@app.post("/receive/{name}")
async def receive(name: str, request: Request) -> Response:
    body = (await request.body()).decode()
    receiver.verify(signature=request.headers["Upstash-Signature"], body=body, url=str(request.url))
    came(name, (body, request.headers.get("Mine"), request.headers["Upstash-Retried"]))
    return Response(status_code=500 if name == "failing" else 200)


@app.post("/third")
async def third(request: Request):
    own = [name for name in request.headers if name.startswith("upstash-workflow")]
    return {"echo": (await request.body()).decode(), "own": own}


@serve.post("/steps")
async def steps(context: AsyncWorkflowContext) -> None:
    payload = context.request_payload

    async def first():
        return payload["n"] + 1

    one = await context.run("one", first)
    await context.sleep("nap", 1)

    async def after():
        came("slept", True)
        return "x" * (5 << 20)  # longer than what SDKs that can fetch steps are sent

    long = await context.run("long", after)
    answer = await context.call("call", url=f"{base}/third", method="POST", body="ask")

    async def last():
        came("steps", (one, len(long), answer.status, answer.body))

    await context.run("last", last)


async def told(context, fail_status, fail_response, fail_headers):
    came("told", (fail_status, fail_response, context.request_payload))


@serve.post("/broken", retries=0, failure_function=told)
async def broken(context: AsyncWorkflowContext) -> None:
    async def bad():
        raise ValueError("broken on purpose")

    await context.run("bad", bad)


async def check() -> None:
    # Messages.
    sent = await client.message.publish_json(url=f"{base}/receive/json", body={"a": 1}, headers={"Mine": "1"}, retries=0)
    assert await until("json") == [('{"a": 1}', "1", "0")], results
    await client.message.publish(url=f"{base}/receive/failing", body="x", retries=1, retry_delay="1", failure_callback=f"{base}/receive/failure")
    await until("failure")
    assert results["failing"] == [("x", None, "0"), ("x", None, "1")], results
    assert len((await client.dlq.list()).messages) == 1
    await client.url_group.upsert_endpoints("group", [{"url": f"{base}/receive/group"}, {"url": f"{base}/receive/group?2"}])
    assert len(await client.message.publish(url_group="group", body="g")) == 2
    await until("group", 2)
    for i in range(5):
        await client.message.enqueue(queue="queue", url=f"{base}/receive/queued", body=str(i))
    assert [body for body, _, _ in await until("queued", 5)] == ["0", "1", "2", "3", "4"], results
    batch = await client.message.batch([{"url": f"{base}/receive/batch", "body": "1"}, {"url": f"{base}/receive/batch", "body": "2"}])
    assert len(batch) == 2
    await until("batch", 2)
    schedule = await client.schedule.create(destination=f"{base}/receive/never", cron="@yearly")
    assert (await client.schedule.get(schedule)).cron == "@yearly"
    await client.schedule.delete(schedule)
    waiting = await client.message.publish(url=f"{base}/receive/never", delay="1h")
    await client.message.cancel(waiting.message_id)
    states = [log.state.value for log in (await client.log.list(filter={"message_id": sent.message_id})).logs]
    assert states == ["DELIVERED", "ACTIVE", "CREATED"], states

    # Workflows.
    await client.message.publish_json(url=f"{base}/steps", body={"n": 1})
    one, length, status, answer = (await until("steps"))[0]
    assert (one, length, status, answer) == (2, 5 << 20, 200, {"echo": '"ask"', "own": []}), (one, length, status, answer)
    assert results["slept"] == [True], results["slept"]
    await client.message.publish_json(url=f"{base}/broken", body={"f": 1})
    assert await until("told") == [(500, "broken on purpose", {"f": 1})], results["told"]
    assert "never" not in results


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await check()
    finally:
        server.should_exit = True
        await serving


asyncio.run(main())
print("everything has come")
