// Socket.IO's Redis adapter: two servers, whose clients reach each other.
//
// REDIS_URL names the server, IOREDIS is set if ioredis and not node-redis is to be used. With TLS, NODE_EXTRA_CA_CERTS names the
// certificate to trust. It fails by an exception, and prints what it has done.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import Redis from "ioredis";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";

async function newClient() {
  if (process.env.IOREDIS) {
    return new Redis(process.env.REDIS_URL);
  }
  const client = createClient({ url: process.env.REDIS_URL });
  client.on("error", (error) => {
    throw error;
  });
  return client.connect();
}

async function startServer() {
  const server = http.createServer();
  const io = new Server(server, { adapter: createAdapter(await newClient(), await newClient()) });
  io.on("connection", (socket) => {
    socket.on("join", (room, done) => {
      socket.join(room);
      done();
    });
  });
  io.on("question", (text, answer) => answer(`${text}!`)); // of another server
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { io, url: `http://127.0.0.1:${server.address().port}` };
}

async function startClient({ url }, room) {
  const socket = connect(url, { transports: ["websocket"] });
  await once(socket, "connect");
  await socket.emitWithAck("join", room);
  return socket;
}

const one = await startServer();
const two = await startServer();
const red = await startClient(one, "red");
const blue = await startClient(two, "blue");

// The adapters' subscriptions are asked for when they are made, and confirmed at some time.
for (;;) {
  const all = await one.io.serverSideEmitWithAck("question", "there").catch(() => []);
  if (all.length === 1) {
    assert.deepEqual(all, ["there!"]);
    break;
  }
}

const everybody = [once(red, "all"), once(blue, "all")];
one.io.emit("all", { n: 1 });
assert.deepEqual(await Promise.all(everybody), [[{ n: 1 }], [{ n: 1 }]]);

const some = once(blue, "room");
red.on("room", () => assert.fail("of another room"));
one.io.to("blue").emit("room", Buffer.from([1, 2, 255]));
assert.deepEqual((await some)[0], Buffer.from([1, 2, 255]));

const sockets = await one.io.fetchSockets();
assert.deepEqual(sockets.map((s) => s.id).sort(), [red.id, blue.id].sort());
// The other server is told, and does it at some time.
one.io.in("blue").socketsJoin("green");
while ((await one.io.in("green").fetchSockets()).length === 0);
const green = once(blue, "green");
one.io.to("green").emit("green", "yes");
assert.deepEqual(await green, ["yes"]);

blue.on("sum", (a, b, answer) => answer(a + b));
red.on("sum", (a, b, answer) => answer(a * b));
assert.deepEqual((await one.io.timeout(10_000).emitWithAck("sum", 3, 4)).sort(), [12, 7]);

const gone = once(blue, "disconnect");
one.io.in("blue").disconnectSockets(true);
await gone;
console.log("socket.io ok");
process.exit(0);
