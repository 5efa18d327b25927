// Runs the command tests of Redis itself against the local server, over Redis's own protocol.
//
//	node official/redis-tests.mjs CHECKOUT [--limit SECONDS] [--log FOLDER] [unit ...]
//
// CHECKOUT is a clone of https://github.com/redis/redis, branch 7.2. Units are named as the suite names them, e.g. unit/type/hash, or by
// a part of that; none means all of unit/ but those about clusters. It needs tclsh; tests that call redis-cli or redis-benchmark use
// those in the PATH. Each unit has a server of its own, that keeps everything in memory. The suite runs in the mode that it has for
// servers which it has not started itself, and leaves out what needs another one. official/redis-tests-excluded.mjs lists what else is
// expected to fail, with reasons: a test that passes although it is listed fails the run. --log keeps the suite's output.
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { spawnChild, startLocal } from "../lib/local.mjs";
import { excluded } from "./redis-tests-excluded.mjs";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { limit: { type: "string", default: "900" }, log: { type: "string" } } });
const [checkout, ...wanted] = positionals;
if (!checkout || !existsSync(path.join(checkout, "tests/test_helper.tcl"))) {
  console.error("usage: node official/redis-tests.mjs CHECKOUT [--limit SECONDS] [--log FOLDER] [unit ...]");
  process.exit(2);
}

/**
 * The suite's own words for what a server need not have: replicas, dumps to disk, eviction, a RESET that keeps the connection
 * logged in, and the registers of HyperLogLog.
 */
const deniedTags = ["needs:repl", "needs:save", "needs:config-maxmemory", "needs:reset", "needs:pfdebug"];

/** A test that waits for what does not come ends its unit: after so many seconds the suite itself gives up. */
const silenceSeconds = 240;

const work = mkdtempSync(path.join(os.tmpdir(), "redis-tests-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
cpSync(path.join(checkout, "tests"), path.join(work, "tests"), { recursive: true });
mkdirSync(path.join(work, "tests/tmp"), { recursive: true });
mkdirSync(path.join(work, "src"));
for (const program of ["redis-cli", "redis-benchmark"]) {
  try {
    symlinkSync(execFileSync("which", [program], { encoding: "utf8" }).trim(), path.join(work, "src", program));
  } catch {
    console.log(`${program} is not there: the tests that call it fail`);
  }
}
// The suite knows no server that asks every connection for a password.
appendFileSync(
  path.join(work, "tests/support/redis.tcl"),
  `
rename socket socket_without_login
proc socket {args} {
    set fd [socket_without_login {*}$args]
    if {[lindex $args end] eq $::env(SUITE_PORT) && [lindex $args 0] ne "-server"} {
        fconfigure $fd -translation binary
        puts -nonewline $fd "AUTH $::env(REDISCLI_AUTH)\\r\\n"
        flush $fd
        set answer [gets $fd]
        if {![string match "+OK*" $answer]} { error "login: $answer" }
    }
    return $fd
}
`,
);

const helper = readFileSync(path.join(work, "tests/test_helper.tcl"), "utf8");
const all = helper.match(/set ::all_tests \{([^}]*)\}/)[1].trim().split(/\s+/);
const units = all.filter((unit) => unit.startsWith("unit/") && !unit.startsWith("unit/cluster/")).filter((unit) => wanted.length === 0 || wanted.some((part) => unit.includes(part)));

// The suite is a group of processes. None of them outlives this one.
let group;
const endGroup = () => {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // it has ended
  }
};
process.on("exit", endGroup);
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(1));
}

/** Runs one unit and returns what the suite wrote, and why it ended early if it did. */
async function run(unit, skipped) {
  const server = await startLocal("-ephemeral", "-redis-addr", "127.0.0.1:0", "-redis-tls-addr", "", "-kafka-addr", "", "-kafka-tls-addr", "");
  const { port, password } = new URL(server.redisUrl);
  const skipFile = path.join(work, "skipped");
  writeFileSync(skipFile, skipped.join("\n"));
  const flags = ["--host", "127.0.0.1", "--port", port, "--single", unit, "--baseport", 21111 + (process.pid % 500) * 64, "--singledb", "--ignore-encoding", "--ignore-digest", "--durable", "--tags", deniedTags.map((tag) => `-${tag}`).join(" "), "--skipfile", skipFile, "--timeout", silenceSeconds];
  const { child, exited } = spawnChild("tclsh", ["tests/test_helper.tcl", ...flags], {
    cwd: work,
    env: { ...process.env, SUITE_PORT: port, REDISCLI_AUTH: password },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  group = child.pid;
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk) => (output += chunk));
  }
  const timer = setTimeout(endGroup, Number(values.limit) * 1000);
  const [, signal] = await exited;
  clearTimeout(timer);
  endGroup();
  const status = await server.stop();
  output = stripVTControlCharacters(output);
  let early;
  if (signal) {
    early = `it took more than ${values.limit} seconds`;
  } else if (!output.includes("The End")) {
    early = output.match(/^\[exception\].*(\n.*){0,3}/m)?.[0] ?? "the suite stopped";
  } else if (output.includes("[TIMEOUT]")) {
    early = `it waited: ${output.match(/\(IN PROGRESS\) .*/)?.[0]}`;
  }
  return { output, early: early ?? (status ? `the server ended with status ${status}` : undefined) };
}

const names = ["passed", "failed", "expected", "excluded", "left out"];
const total = Object.fromEntries(names.map((name) => [name, 0]));
const problems = [];
const reasons = new Map();
const row = (unit, cells) => console.log(unit.padEnd(28) + cells.map((cell) => String(cell).padStart(10)).join(""));
row("", names);
for (const unit of units) {
  const whole = excluded.find((rule) => rule.unit === unit && !rule.tests);
  if (whole) {
    const count = readFileSync(path.join(work, `tests/${unit}.tcl`), "utf8").match(/^\s*test ["{]/gm).length;
    row(unit, names.map((name) => (name === "excluded" ? count : "")));
    reasons.set(whole.reason, (reasons.get(whole.reason) ?? 0) + count);
    total.excluded += count;
    continue;
  }
  const listed = excluded.filter((rule) => rule.unit === unit);
  const skipped = listed.flatMap((rule) => (rule.skip ? rule.tests : []));
  const { output, early } = await run(unit, skipped);
  if (values.log) {
    mkdirSync(values.log, { recursive: true });
    writeFileSync(path.join(values.log, `${unit.replaceAll("/", "-")}.log`), output);
  }
  const counts = Object.fromEntries(names.map((name) => [name, 0]));
  const seen = new Map();
  const body = output.split(/^\s+The End$/m)[0];
  for (const [, word, rest] of body.matchAll(/^\[(ok|err|skip|ignore)\]: (.*)$/gm)) {
    const name = word === "ok" ? rest.replace(/ \(\d+ ms\)$/, "") : word === "err" ? rest.replace(/ in tests\/unit\/\S+$/, "") : rest;
    const rule = listed.find((rule) => rule.tests.includes(name));
    const result = { ok: "passed", err: rule ? "expected" : "failed", skip: "excluded", ignore: "left out" }[word];
    counts[result]++;
    seen.set(name, (seen.get(name) ?? []).concat(result));
    if (result === "failed") {
      problems.push(`${unit}: failed: ${name}`);
    }
    if (result === "expected" || result === "excluded") {
      reasons.set(rule.reason, (reasons.get(rule.reason) ?? 0) + 1);
    }
  }
  for (const name of listed.flatMap((rule) => rule.tests)) {
    const results = seen.get(name);
    if (!results) {
      problems.push(`${unit}: is listed, but there is no such test: ${name}`);
    } else if (results.every((result) => result === "passed")) {
      problems.push(`${unit}: passes, though it is listed: ${name}`);
    }
  }
  if (early) {
    problems.push(`${unit}: ended early: ${early}`);
  }
  row(unit, names.map((name) => counts[name] || ""));
  names.forEach((name) => (total[name] += counts[name]));
}
row("all", names.map((name) => total[name]));
const share = (100 * total.passed) / (total.passed + total.failed);
console.log(`\n${share.toFixed(1)} % of the tests pass that are not listed. Left out by the suite itself: ${total["left out"]}.`);
console.log("\nListed in official/redis-tests-excluded.mjs:");
for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1])) {
  console.log(`${String(count).padStart(5)}  ${reason}`);
}
problems.forEach((problem) => console.log(problem));
process.exitCode = problems.length > 0 ? 1 : 0;
