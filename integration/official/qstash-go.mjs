// Runs the tests of the official QStash client for Go against the local server, which reaches nothing but this machine.
//
//	node official/qstash-go.mjs CHECKOUT [-run PATTERN]
//
// CHECKOUT is a clone of https://github.com/upstash/qstash-go. Its tests publish to hosts of the web, which lead to a server
// of the runner: httpstat.us answers with the status that its path names, all others 200. openssl makes its certificate.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { buildLocal, ready, spawnChild } from "../lib/local.mjs";

const [checkout, ...flags] = process.argv.slice(2);
if (!checkout || !existsSync(path.join(checkout, "messages_test.go"))) {
  console.error("usage: node official/qstash-go.mjs CHECKOUT [-run PATTERN]");
  process.exit(2);
}
const work = mkdtempSync(path.join(os.tmpdir(), "qstash-go-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const hosts = ["example.com", "example.net", "httpstat.us"];
const answer = (request, response) => {
  const status = Number(request.headers.host?.startsWith("httpstat.us") && request.url.slice(1)) || 200;
  response.writeHead(status).end(`${status} ${http.STATUS_CODES[status]}`);
};
const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(work, name));
execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=tests", "-keyout", key, "-out", cert,
  "-addext", `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(",")}`], { stdio: "ignore" });
const plain = http.createServer(answer).listen(0, "127.0.0.1");
const secure = https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer).listen(0, "127.0.0.1");
await Promise.all([once(plain, "listening"), once(secure, "listening")]);

cpSync(checkout, path.join(work, "clone"), { recursive: true, filter: (file) => path.basename(file) !== ".git" });
const resolve = hosts.flatMap((host) => ["-resolve", `${host}:80=127.0.0.1:${plain.address().port}`, "-resolve", `${host}:443=127.0.0.1:${secure.address().port}`]);
const { child, exited } = spawnChild(buildLocal(), ["-addr", "127.0.0.1:0", "-data", path.join(work, "data"), ...resolve], {
  stdio: ["ignore", "pipe", "inherit"],
  env: { ...process.env, SSL_CERT_FILE: cert }, // the server trusts the runner's certificate, and no other
});
await ready(child);
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
plain.close();
secure.close();

// The first three publish to a provider by its short name, with a token of that provider. The last one fails now and then: it expects
// that a millisecond passes until a URL group is there.
const excluded = ["TestPublishToLlmApi", "TestBatchLlmApi", "TestEnqueueLlmApi", "TestUrlGroup"];
const counts = { pass: 0, fail: 0, skip: 0, expected: 0 };
for (const line of output.trim().split("\n")) {
  let event;
  try {
    event = JSON.parse(line);
  } catch {
    console.log(line); // what the compiler says
    continue;
  }
  if (event.Test && event.Action in counts) {
    const expected = event.Action === "fail" && excluded.includes(event.Test);
    counts[expected ? "expected" : event.Action]++;
    if (event.Action === "fail" && !expected) {
      console.log(`FAILED: ${event.Test}`);
    }
  }
}
const broken = counts.fail > 0 || counts.pass === 0 || status !== 0;
if (broken) {
  console.log(output.replace(/^(.{300}).*$/gm, "$1"));
}
console.log(`qstash-go: ${counts.pass} passed, ${counts.fail} failed, ${counts.expected} failed as expected, ${counts.skip} skipped`);
process.exit(broken ? 1 : 0);
