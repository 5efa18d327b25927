// A client whose server is killed, and started again: it goes on by itself, with its subscription and with a command that waits.
//
// The argument is the package, ioredis or redis, of any version. REDIS_URL names the server. The program prints a line when the server is to be
// killed and started again, and reads one when that has been done. It fails by an exception, and prints what it has done.

import assert from "node:assert/strict";
import { once } from "node:events";
import readline from "node:readline";

const name = process.argv[2];
const url = process.env.REDIS_URL;

// clients have the same methods, whatever the package.
const clients = {
  async ioredis() {
    const { default: Redis } = await import(name);
    // Commands that were sent are sent again, however often that takes.
    const connect = () => new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 }).on("error", () => {});
    const redis = connect();
    const subscriber = connect();
    return {
      redis,
      waiter: connect(),
      get: (key) => redis.get(key),
      blpop: (waiter, key) => waiter.blpop(key, 0),
      subscribe: (note) => subscriber.on("message", (_, message) => note(message)).subscribe("news"),
    };
  },
  async redis() {
    const { createClient } = await import(name);
    const connect = () =>
      createClient({ url, socket: { reconnectStrategy: () => 50 } })
        .on("error", () => {})
        .connect();
    const redis = await connect();
    const subscriber = await connect();
    return {
      redis,
      waiter: await connect(),
      get: (key) => redis.get(key),
      // node-redis gives up what was under way when the connection broke: its users try again.
      async blpop(waiter, key) {
        for (;;) {
          try {
            const { element } = await waiter.blPop(key, 0);
            return [key, element];
          } catch (error) {
            assert.match(`${error.constructor.name} ${error.code}`, /Disconnect|SocketClosed|ECONNRESET|EPIPE/);
          }
        }
      },
      subscribe: (note) => subscriber.subscribe("news", note),
    };
  },
};

const { redis, waiter, get, blpop, subscribe } = await clients[name.split("-")[0]]();
await redis.set("kept", "yes");
let note;
await subscribe((message) => note?.(message));
const popped = blpop(waiter, "list");

console.log("restart the server");
const lines = readline.createInterface({ input: process.stdin });
const reading = once(lines, "line");
// Some of these fail and some wait until there is a server again; all that were answered are kept.
let answered = 0;
let ended = false;
reading.then(() => (ended = true));
while (!ended) {
  await redis.incr("n").then(() => answered++, () => {});
}
lines.close();

assert.equal(await get("kept"), "yes");
assert(Number(await get("n")) >= answered);
// The subscription comes back some time after the connection.
const message = new Promise((resolve) => (note = resolve));
const timer = setInterval(() => redis.publish("news", "again"), 50);
assert.equal(await message, "again");
clearInterval(timer);
await (redis.rPush?.("list", "a") ?? redis.rpush("list", "a"));
assert.deepEqual(await popped, ["list", "a"]);
console.log(name, "ok");
process.exit(0);
