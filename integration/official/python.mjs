// Runs the test suites of the official Python packages' own repositories against the local server.
//
//   node official/python.mjs CHECKOUT --python PYTHON [--store embedded|dynamo] [--read-region] [argument of pytest ...]
//
// CHECKOUT is a clone of https://github.com/upstash/redis-py or ratelimit-py. PYTHON is an interpreter that has what the
// suite needs, see README.md. Arguments such as tests/commands/set choose files. Tests of ratelimit-py that fail run again, up to
// three times: see COMPATIBILITY.md.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { startDynamoDB } from "../lib/dynamodb.mjs";
import { startLocal } from "../lib/local.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { python: { type: "string" }, store: { type: "string", default: "embedded" }, "read-region": { type: "boolean", default: false } },
});
const [checkout, ...chosen] = positionals;
const name = ["upstash_redis", "upstash_ratelimit"].find((module) => checkout && existsSync(path.join(checkout, module)));
if (!name || !values.python) {
  console.error("usage: node official/python.mjs CHECKOUT --python PYTHON [--store embedded|dynamo] [--read-region] [argument of pytest ...]");
  console.error("CHECKOUT is a clone of https://github.com/upstash/redis-py or https://github.com/upstash/ratelimit-py");
  process.exit(2);
}
const work = mkdtempSync(path.join(os.tmpdir(), `${name}-`));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
cpSync(checkout, work, { recursive: true, filter: (file) => path.basename(file) !== ".git" });

const dynamo = values.store === "dynamo" ? await startDynamoDB() : undefined;
const server = await startLocal(
  "-ephemeral",
  ...(values["read-region"] ? ["-replica", "127.0.0.1:0", "-replica-lag", "100ms"] : []),
  ...(dynamo ? ["-store", "dynamo", "-endpoint", dynamo.endpoint, "-table", `official-${process.pid}`] : []),
);
const report = path.join(work, "report.xml");
let tests;
const run = (...flags) => {
  rmSync(report, { force: true });
  tests = spawnSync(values.python, ["-m", "pytest", "-q", `--junitxml=${report}`, ...flags, ...(chosen.length > 0 ? chosen : ["tests"])], {
    cwd: work,
    env: { ...process.env, UPSTASH_REDIS_REST_URL: server.replicaUrl ?? server.url, UPSTASH_REDIS_REST_TOKEN: server.token },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (existsSync(report)) {
    for (const [, , body] of readFileSync(report, "utf8").matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
      counts[/<(failure|error)/.test(body) ? "failed" : /<skipped/.test(body) ? "skipped" : "passed"]++;
    }
  }
  return counts;
};
const counts = run();
for (let again = 0; name === "upstash_ratelimit" && again < 3 && counts.failed > 0; again++) {
  const { passed, failed } = run("--last-failed");
  counts.passed += passed;
  counts.failed = failed;
}
const status = await server.stop();
await dynamo?.stop();

const broken = tests.status !== 0 || status !== 0 || counts.passed === 0;
if (broken) {
  console.log(tests.stdout + tests.stderr);
}
console.log(`${name}, ${values.store}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = broken ? 1 : 0;
