// connect-redis: express-session keeps sessions in Redis.
//
// REDIS_URL names the server. With TLS, NODE_EXTRA_CA_CERTS names the certificate to trust. It fails by an exception, and prints what
// it has done.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { RedisStore } from "connect-redis";
import session from "express-session";
import { createClient } from "redis";

const client = createClient({ url: process.env.REDIS_URL });
client.on("error", (error) => {
  throw error;
});
await client.connect();
await client.flushDb();
const store = new RedisStore({ client, prefix: "sess:", ttl: 600 });
const middleware = session({ store, secret: "s3cret", resave: false, saveUninitialized: false });

// Counts the visits of each session; /out ends it.
const server = http.createServer((request, response) => {
  middleware(request, response, (error) => {
    if (error) {
      response.writeHead(500).end(String(error));
    } else if (request.url === "/out") {
      request.session.destroy(() => response.end("bye"));
    } else {
      request.session.visits = (request.session.visits ?? 0) + 1;
      response.end(String(request.session.visits));
    }
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

async function visit(path, cookie = "") {
  const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { cookie } });
  return { text: await response.text(), cookie: response.headers.get("set-cookie")?.split(";")[0] ?? cookie };
}

const { text, cookie } = await visit("/");
assert.equal(text, "1");
assert.equal((await visit("/", cookie)).text, "2");
assert.equal((await visit("/")).text, "1");
assert.equal(await new Promise((resolve) => store.length((_, n) => resolve(n))), 2);
const [key] = (await client.keys("sess:*")).filter((k) => cookie.includes(k.slice("sess:".length)));
const left = await client.ttl(key);
assert(left > 0 && left <= 600, `${left} seconds are left`);
assert.equal((await visit("/out", cookie)).text, "bye");
assert.equal((await visit("/", cookie)).text, "1");
assert.equal((await store.all()).length, 2);
await new Promise((resolve, reject) => store.clear((error) => (error ? reject(error) : resolve())));
assert.deepEqual(await client.keys("sess:*"), []);
server.close();
server.closeAllConnections();
await client.close();
console.log("connect-redis ok");
