// Runs the tests of the official QStash client for Go against the local server, which reaches nothing but this machine.
//
//	node official/qstash-go.mjs CHECKOUT [-run PATTERN]
//
// CHECKOUT is a clone of https://github.com/upstash/qstash-go. Its tests publish to hosts of the web, which lead to a server
// of the runner: httpstat.us answers with the status that its path names, all others 200.
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { buildLocal, spawnChild } from "../lib/local.mjs";

const [checkout, ...flags] = process.argv.slice(2);
if (!checkout || !existsSync(path.join(checkout, "messages_test.go"))) {
  console.error("usage: node official/qstash-go.mjs CHECKOUT [-run PATTERN]");
  process.exit(2);
}
const outside = http
  .createServer((request, response) => {
    response.writeHead(Number(request.headers.host?.startsWith("httpstat.us") && request.url.slice(1)) || 200).end();
  })
  .listen(0, "127.0.0.1");
await once(outside, "listening");

const work = mkdtempSync(path.join(os.tmpdir(), "qstash-go-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
cpSync(checkout, path.join(work, "clone"), { recursive: true, filter: (file) => path.basename(file) !== ".git" });
const resolve = ["example.com", "example.net", "httpstat.us"].flatMap((host) => ["-resolve", `${host}=127.0.0.1:${outside.address().port}`]);
const { child, exited } = spawnChild(buildLocal(), ["-addr", "127.0.0.1:0", "-data", path.join(work, "data"), ...resolve], { stdio: ["ignore", "pipe", "inherit"] });
for await (const chunk of child.stdout) {
  if (chunk.includes("Ready")) {
    break;
  }
}
child.stdout.resume?.();
const env = { ...process.env, GOFLAGS: "-mod=mod -trimpath" };
for (const line of readFileSync(path.join(work, "data/local.env"), "utf8").trim().split("\n")) {
  const [key, ...rest] = line.split("=");
  env[key] = JSON.parse(rest.join("="));
}
const tests = spawnChild("go", ["test", "-json", "-count=1", "-timeout", "5m", ...flags, "."], { cwd: path.join(work, "clone"), env, stdio: ["ignore", "pipe", "inherit"] });
let output = "";
tests.child.stdout.on("data", (chunk) => (output += chunk));
await tests.exited;
child.kill("SIGTERM");
const [status] = await exited;
outside.close();

const counts = { pass: 0, fail: 0, skip: 0 };
for (const line of output.trim().split("\n")) {
  let event;
  try {
    event = JSON.parse(line);
  } catch {
    console.log(line); // what the compiler says
    continue;
  }
  if (event.Test && event.Action in counts) {
    counts[event.Action]++;
    if (event.Action === "fail") {
      console.log(`FAILED: ${event.Test}`);
    }
  }
}
const broken = counts.fail > 0 || counts.pass === 0 || status !== 0;
if (broken) {
  console.log(output.replace(/^(.{300}).*$/gm, "$1"));
}
console.log(`qstash-go: ${counts.pass} passed, ${counts.fail} failed, ${counts.skip} skipped`);
process.exit(broken ? 1 : 0);
