// Runs the resources of Upstash's Terraform provider against the local server: creates, plans again,
// changes and deletes, through the provider's own code, without the terraform program.
//
//   node official/terraform.mjs CHECKOUT
//
// CHECKOUT is a clone of github.com/upstash/terraform-provider-upstash, v2. It is compiled with Go.
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { startLocal } from "../lib/local.mjs";

const [checkout] = process.argv.slice(2);
if (!checkout) {
  console.error("usage: node official/terraform.mjs CHECKOUT");
  process.exit(2);
}
const work = mkdtempSync(path.join(os.tmpdir(), "terraform-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
cpSync(checkout, work, { recursive: true, filter: (file) => path.basename(file) !== ".git" });
copyFileSync(path.join(import.meta.dirname, "terraform.go.txt"), path.join(work, "skystash_test.go"));

const server = await startLocal("-ephemeral");
const go = spawnSync("go", ["test", "-count=1", "-v", "-run", "TestResources", "."], {
  cwd: work,
  stdio: "inherit",
  env: { ...process.env, SKYSTASH_API_URL: server.url, UPSTASH_EMAIL: server.email, UPSTASH_API_KEY: server.apiKey },
});
process.exitCode = go.status || (await server.stop());
