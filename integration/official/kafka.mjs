// Runs the official tests of @upstash/kafka (a checkout of upstash/kafka-js) against
// the local server.
//
//	node official/kafka.mjs <checkout>
//
// Every test has to pass; the exit status says whether all have.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { root, startLocal } from "../lib/local.mjs";

const [checkout] = process.argv.slice(2);
if (!checkout) {
  console.error("usage: node official/kafka.mjs <checkout of kafka-js>");
  process.exit(2);
}
const work = mkdtempSync(path.join(os.tmpdir(), "kafka-js-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
cpSync(path.join(checkout, "pkg"), path.join(work, "pkg"), { recursive: true });
const server = await startLocal("-ephemeral", "-topics", "red:3,green,blue");
const bun = spawnSync(path.join(root, "integration/node_modules/.bin/bun"), ["test", "--timeout", "600000", "./pkg"], {
  cwd: work,
  env: {
    ...process.env,
    UPSTASH_KAFKA_REST_URL: server.kafka.url,
    UPSTASH_KAFKA_REST_USERNAME: server.kafka.username,
    UPSTASH_KAFKA_REST_PASSWORD: server.kafka.password,
  },
  stdio: "inherit",
});
const status = await server.stop();
process.exitCode = bun.status || status;
