// Runs an application of @upstash/workflow against the local server, which is killed and started
// again while the workflow sleeps.
//
//	node official/workflow.mjs [--modules FOLDER]
//
// --modules names the node_modules folder that has @upstash/workflow; without it, integration/node_modules.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { buildLocal, ready, root, spawnChild } from "../lib/local.mjs";

const { values } = parseArgs({ options: { modules: { type: "string", default: path.join(root, "integration/node_modules") } } });
const require = createRequire(pathToFileURL(path.resolve(values.modules, "x.js")));
const { serve, Client } = require("@upstash/workflow");

const data = mkdtempSync(path.join(os.tmpdir(), "workflow-"));
process.on("exit", () => rmSync(data, { recursive: true, force: true }));

async function startServer(address) {
  const { child, exited } = spawnChild(buildLocal(), ["-addr", address, "-data", data], { stdio: ["ignore", "pipe", "inherit"] });
  await ready(child);
  for (const line of readFileSync(path.join(data, "local.env"), "utf8").trim().split("\n")) {
    const [key, ...rest] = line.split("=");
    process.env[key] = JSON.parse(rest.join("="));
  }
  return { async stop(signal) { child.kill(signal); await exited; } };
}
let server = await startServer("127.0.0.1:0");

const ran = [];
const results = {};
let asleep;
const sleeping = new Promise((resolve) => (asleep = resolve));
const app = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (request.url === "/third") {
    const own = Object.keys(request.headers).filter((name) => name.startsWith("upstash-workflow"));
    response.writeHead(201, { "content-type": "application/json", "x-answer": "1" }).end(JSON.stringify({ echo: body.toString(), own }));
    return;
  }
  const handler = { "/main": main, "/failing": failing }[request.url].handler;
  const answer = await handler(new Request(`${base}${request.url}`, { method: request.method, headers: request.headers, body: body.length > 0 ? body : undefined }));
  response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
}).listen(0, "127.0.0.1");
await once(app, "listening");
const base = `http://127.0.0.1:${app.address().port}`;

// Answers are checked: the signing keys are in the environment.
const main = serve(async (context) => {
  const one = await context.run("one", () => ran.push("one") && context.requestPayload.n + 1);
  asleep();
  await context.sleep("nap", 3);
  const [two, three] = await Promise.all([
    context.run("two", () => ran.push("two") && one * 2),
    context.run("three", () => ran.push("three") && one * 3),
    context.sleep("beside", 1),
  ]);
  const call = await context.call("call", { url: `${base}/third`, method: "POST", body: "yo" });
  const event = await context.waitForEvent("event", "the-event", { timeout: "30s" });
  const late = await context.waitForEvent("late", "no-event", { timeout: "1s" });
  const webhook = await context.createWebhook("webhook");
  await context.run("call it", async () => (await fetch(webhook.webhookUrl, { method: "POST", body: "hooked" })).status);
  const hooked = await context.waitForWebhook("hooked", webhook, "30s");
  results.main = { one, two, three, call: [call.status, call.body, call.header["X-Answer"]], event: [event.timeout, event.eventData], late: late.timeout, hooked: await hooked.request.text() };
  return "done";
});
const failing = serve(
  async (context) => {
    await context.run("bad", () => {
      throw new Error("broken on purpose");
    });
  },
  {
    failureFunction: async ({ context, failStatus, failResponse }) => {
      results.failing = { failStatus, failResponse, payload: context.requestPayload };
    },
  },
);

const client = () => new Client({ baseUrl: process.env.QSTASH_URL, token: process.env.QSTASH_TOKEN });
const { workflowRunId } = await client().trigger({ url: `${base}/main`, body: { n: 1 } });
await client().trigger({ url: `${base}/failing`, body: { f: 1 }, retries: 1, retryDelay: "100", failureUrl: `${base}/failing` });
await sleeping;
await sleep(500); // the nap has been accepted
await server.stop("SIGKILL");
server = await startServer(new URL(process.env.QSTASH_URL).host);

for (let i = 0; i < 300 && !(results.main && results.failing); i++) {
  await client().notify({ eventId: "the-event", eventData: { hello: 1 } });
  await sleep(100);
}
assert.deepEqual(results.main, {
  one: 2, two: 4, three: 6, call: [201, { echo: "yo", own: [] }, ["1"]], event: [false, { hello: 1 }], late: true, hooked: "hooked",
});
assert.deepEqual(results.failing, { failStatus: 500, failResponse: "broken on purpose", payload: { f: 1 } });
assert.deepEqual(ran.toSorted(), ["one", "three", "two"], "a step has run again");
for (let i = 0; ; i++) {
  const { runs } = await client().logs({ filter: { workflowRunId }, workflowRunId });
  if (runs[0]?.workflowState === "RUN_SUCCESS") {
    break;
  }
  assert.ok(i < 50, `the run is ${runs[0]?.workflowState}`);
  await sleep(100);
}
await server.stop("SIGTERM");
app.close();
console.log("the workflow has run to its end, over a kill of the server");
process.exit(0);
