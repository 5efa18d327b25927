// Runs the tests of the official QStash and workflow clients' own repositories against the local
// server, which reaches nothing but this machine.
//
//	node official/qstash.mjs CHECKOUT [--modules FOLDER] [--store embedded|dynamo] [file ...]
//
// CHECKOUT is a clone of https://github.com/upstash/qstash-js or https://github.com/upstash/workflow-js.
// Files are named by a part of their path; none means all that need a server. --modules names the
// node_modules folder with what the clone's tests import; without it, integration/node_modules.
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { startDynamoDB } from "../lib/dynamodb.mjs";
import { buildLocal, ready, root, spawnChild } from "../lib/local.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modules: { type: "string", default: path.join(root, "integration/node_modules") },
    store: { type: "string", default: "embedded" },
  },
});
const [checkout, ...wanted] = positionals;
if (!checkout || !existsSync(path.join(checkout, "src/client"))) {
  console.error("usage: node official/qstash.mjs CHECKOUT [--modules FOLDER] [file ...]");
  process.exit(2);
}
const { name } = JSON.parse(readFileSync(path.join(checkout, "package.json"), "utf8"));

// The files with tests that talk to a server, and the tests among them that cannot pass here.
const suites = {
  "@upstash/qstash": {
    files: ["client", "dlq", "messages", "queue", "schedules", "url-groups", "flow-control", "logs"].map((f) => `client/${f}.test.ts`),
    excluded: {},
  },
  "@upstash/workflow": {
    files: ["client/index", "client/dlq", "serve/serve", "workflow-requests", "workflow-parser", "receiver"].map((f) => `${f}.test.ts`),
    excluded: {
      "should call publishJSON in triggerWorkflowDelete": "calls https://requestcatcher.com itself",
    },
  },
};
const suite = suites[name];
if (!suite) {
  console.error(`${checkout} is the clone of neither ${Object.keys(suites).join(" nor ")}`);
  process.exit(2);
}

// Where all hosts of the tests lead to.
const outside = http.createServer((_, response) => response.writeHead(404).end("404 Not Found")).listen(0, "127.0.0.1");
await once(outside, "listening");
const hosts = ["example.com", "example.org", "httpbin.org", "mock.httpstatus.io", "requestcatcher.com", "wf-test.requestcatcher.com",
  "oz.requestcatcher.com", "oz1.requestcatcher.com", "www.initial.com", "www.updated.com"];

const work = mkdtempSync(path.join(os.tmpdir(), "qstash-js-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
cpSync(checkout, path.join(work, "clone"), { recursive: true, filter: (file) => ![".git", "node_modules"].includes(path.basename(file)) });
symlinkSync(path.resolve(values.modules), path.join(work, "clone/node_modules"));
const all = readdirSync(path.join(work, "clone/src"), { recursive: true }).filter((file) => file.endsWith(".test.ts"));
const files = wanted.length > 0 ? all.filter((file) => wanted.some((part) => file.includes(part))) : suite.files;

const resolve = hosts.flatMap((host) => ["-resolve", `${host}=127.0.0.1:${outside.address().port}`]);
const dynamo = values.store === "dynamo" ? await startDynamoDB() : undefined;
const store = dynamo ? ["-store", "dynamo", "-endpoint", dynamo.endpoint, "-table", `redis-${process.pid}`, "-qstash-table", `qstash-${process.pid}`] : [];
const { child, exited } = spawnChild(buildLocal(), ["-addr", "127.0.0.1:0", "-data", path.join(work, "data"), ...resolve, ...store], { stdio: ["ignore", "pipe", "inherit"] });
await ready(child);
const env = Object.fromEntries(
  readFileSync(path.join(work, "data/local.env"), "utf8").trim().split("\n").map((line) => {
    const [key, ...rest] = line.split("=");
    return [key, JSON.parse(rest.join("="))];
  }),
);
const report = path.join(work, "report.xml");
const bun = spawnChild(
  path.join(root, "integration/node_modules/.bin/bun"),
  ["test", "--reporter=junit", `--reporter-outfile=${report}`, ...files.map((file) => `./src/${file}`)],
  { cwd: path.join(work, "clone"), env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] },
);
let output = "";
bun.child.stderr.on("data", (chunk) => (output += chunk));
await bun.exited;
child.kill("SIGTERM");
const [status] = await exited;
outside.close();
await dynamo?.stop();

if (!existsSync(report)) {
  console.error(output);
  throw new Error("bun ended without a report");
}
const text = (xml) => xml.replaceAll("&apos;", "'").replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const counts = { passed: 0, failed: 0, expected: 0, skipped: 0 };
let stale = 0;
const results = readFileSync(report, "utf8");
// A file that cannot be loaded, as for want of a module, has no tests in the report.
const unread = files.filter((file) => !results.includes(`src/${file}"`));
for (const [, attributes, body] of results.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
  const test = text(attributes.match(/(?:^| )name="([^"]*)"/)?.[1] ?? "");
  const failed = body?.includes("<failure");
  const reason = suite.excluded[test];
  if (failed && !reason) {
    console.log(`FAILED: ${test}`);
  } else if (!failed && reason) {
    stale++;
    console.log(`passes, though it is excluded: ${test}`);
  }
  counts[failed ? (reason ? "expected" : "failed") : body?.includes("<skipped") ? "skipped" : "passed"]++;
}
for (const file of unread) {
  console.log(`NOT RUN: ${file}`);
}
const broken = unread.length > 0 || counts.failed > 0 || stale > 0 || counts.passed === 0 || status !== 0;
if (broken) {
  console.log(output);
}
console.log(`${name}, ${values.store}: ${files.length} files, ${counts.passed} passed, ${counts.failed} failed, ${counts.expected} failed as expected, ${counts.skipped} skipped`);
process.exitCode = broken ? 1 : 0;
