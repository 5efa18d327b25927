// Runs the test suites of official packages' own repositories against the local server.
//
//   node official/run.mjs CHECKOUT [--store embedded|dynamo] [--excluded] [--read-region] [file ...]
//
// CHECKOUT is a clone of one of the repositories in suites.mjs. Files are named by a part of their
// path, e.g. commands/zadd; none means all but the excluded ones. --excluded runs those instead. --read-region runs
// them against a read region whose replica lags behind; it goes with the embedded store.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { startDynamoDB } from "../lib/dynamodb.mjs";
import { root, startLocal } from "../lib/local.mjs";
import { suiteIn, suites } from "./suites.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { store: { type: "string", default: "embedded" }, excluded: { type: "boolean", default: false }, "read-region": { type: "boolean", default: false } },
});
const [checkout, ...wanted] = positionals;
const suite = checkout && suiteIn(checkout);
if (!suite) {
  console.error("usage: node official/run.mjs CHECKOUT [--store embedded|dynamo] [--excluded] [--read-region] [file ...]");
  console.error(`CHECKOUT is a clone of ${suites.map((s) => s.repository).join(" or ")}`);
  process.exit(2);
}
const { excluded, excludedTests } = suite;

// A copy: the suite needs its dependencies beside it, and the clone stays as it is.
const work = mkdtempSync(path.join(os.tmpdir(), `${suite.name}-`));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
cpSync(path.join(checkout, suite.folder), work, { recursive: true, filter: (file) => path.basename(file) !== "node_modules" });
symlinkSync(path.join(root, "integration/node_modules"), path.join(work, "node_modules"));

const all = readdirSync(path.join(work, suite.tests), { recursive: true })
  .filter((file) => file.endsWith(".test.ts"))
  .sort();
const reasonFor = (file) => excluded.find((rule) => rule.files.test(file))?.reason;
const files = all.filter((file) =>
  wanted.length > 0 ? wanted.some((part) => file.includes(part)) : Boolean(reasonFor(file)) === values.excluded,
);

const dynamo = values.store === "dynamo" ? await startDynamoDB() : undefined;
const servers = [];
for (let i = 0; i < suite.servers; i++) {
  servers.push(
    await startLocal("-ephemeral", ...(values["read-region"] ? ["-replica", "127.0.0.1:0", "-replica-lag", "100ms"] : []), ...(dynamo ? ["-store", "dynamo", "-endpoint", dynamo.endpoint, "-table", `official-${process.pid}-${i}`] : [])),
  );
  servers[i].url = servers[i].replicaUrl ?? servers[i].url;
}
const report = path.join(work, "report.xml");
const bun = spawnSync(
  path.join(root, "integration/node_modules/.bin/bun"),
  [
    "test",
    ...(suite.retry ? [`--retry=${suite.retry}`] : []),
    ...(suite.preload ? ["--preload", path.join(import.meta.dirname, suite.preload)] : []),
    "--timeout",
    "300000",
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...files.map((file) => `./${suite.tests}/${file}`),
  ],
  {
    cwd: work,
    env: { ...process.env, ...suite.environment(servers) },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  },
);
let status = 0;
for (const server of servers) {
  status ||= await server.stop();
}
await dynamo?.stop();

if (!existsSync(report)) {
  console.error(bun.stdout + bun.stderr);
  throw new Error(`bun ended with status ${bun.status} and without a report`);
}
const counters = () => ({ passed: 0, failed: 0, expected: 0, skipped: 0 });
const byFile = new Map(files.map((file) => [file, counters()]));
const text = (xml) => xml.replaceAll("&apos;", "'").replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const stale = [];
for (const [, attributes, body] of readFileSync(report, "utf8").matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
  const file = attributes.match(new RegExp(` file="(?:.*?/)?${suite.tests}/([^"]*)"`))?.[1];
  const attribute = (name) => text(attributes.match(new RegExp(`(?:^| )${name}="([^"]*)"`))?.[1] ?? "");
  const name = ` > ${attribute("classname")} > ${attribute("name")}`;
  const counts = byFile.get(file);
  if (!counts) {
    throw new Error(`the report names a test of no file that was asked for: ${attributes}`);
  }
  const failed = body?.includes("<failure");
  const expected = excludedTests.some((rule) => rule.file === file && rule.names.some((end) => name.endsWith(` > ${end}`)));
  if (expected && !failed) {
    stale.push(`${file}: ${name}`);
  }
  counts[failed ? (expected ? "expected" : "failed") : body?.includes("<skipped") ? "skipped" : "passed"]++;
}
const total = counters();
for (const [file, counts] of byFile) {
  const line = [
    `${counts.passed} passed`,
    counts.failed && `${counts.failed} FAILED`,
    counts.expected && `${counts.expected} failed as expected`,
    counts.skipped && `${counts.skipped} skipped`,
  ];
  console.log(file.padEnd(48), line.filter(Boolean).join(", "));
  for (const name of Object.keys(total)) {
    total[name] += counts[name];
  }
}
const silent = [...byFile].filter(([, counts]) => Object.values(counts).every((n) => n === 0)).map(([file]) => file);
const broken = total.failed > 0 || stale.length > 0 || silent.length > 0 || status !== 0;
if (broken) {
  console.log(`\n${bun.stderr}`);
}
stale.forEach((name) => console.log(`passes, though it is listed as excluded: ${name}`));
silent.forEach((file) => console.log(`reports no test: ${file}`));
console.log(
  `\n${suite.name}, ${values.store}: ${files.length} of ${all.length} files, ` +
    `${total.passed} passed, ${total.failed} failed, ${total.expected} failed as expected, ${total.skipped} skipped`,
);
if (!values.excluded && wanted.length === 0 && excluded.length > 0) {
  console.log("\nNot run, or expected to fail, see official/excluded.mjs:");
  for (const rule of excluded) {
    console.log(`  ${String(all.filter((file) => reasonFor(file) === rule.reason).length).padStart(3)} files: ${rule.reason}`);
  }
  for (const rule of excludedTests) {
    console.log(`  ${String(rule.names.length).padStart(3)} tests: ${rule.file}: ${rule.reason}`);
  }
}
process.exitCode = broken ? 1 : 0;
