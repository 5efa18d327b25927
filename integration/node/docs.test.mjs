// What README and docs tell people to type: all of it is a shell's language, and what is marked with "<!-- run -->" is run
// against the local server and prints what the page says. Texts of errors are those of the code.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { root, startLocal } from "../lib/local.mjs";

const run = promisify(execFile);
const integration = path.join(root, "integration");
const pages = ["README.md", ...readdirSync(path.join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];

/** Returns the fenced blocks of a page, in order, with the number of their first line. */
function blocks(page) {
  const found = [];
  let block;
  let marked = false;
  readFileSync(path.join(root, page), "utf8").split("\n").forEach((line, i) => {
    const fence = line.match(/^```(\w*)$/);
    if (fence && !block) {
      block = { at: `${page}:${i + 1}`, language: fence[1], run: marked, lines: [] };
    } else if (fence) {
      found.push({ ...block, text: `${block.lines.join("\n")}\n` });
      block = undefined;
    } else {
      block?.lines.push(line);
    }
    marked = line === "<!-- run -->";
  });
  assert.equal(block, undefined, `${page}: a block does not end`);
  return found;
}

for (const page of pages) {
  test(`${page}: commands can be typed`, async () => {
    for (const { at, language, text } of blocks(page)) {
      if (language === "sh") { // <id> is to be replaced by who reads it
        await run("bash", ["-n", "-c", text.replaceAll(/<[A-Za-z][\w ]*>/g, "word")]).catch((err) => assert.fail(`${at}: ${err.stderr}`));
      }
    }
  });
}

test("texts of errors in docs/troubleshooting.md are those of the code", async () => {
  const texts = [...readFileSync(path.join(root, "docs/troubleshooting.md"), "utf8").matchAll(/^## `([^`]*)`/gm)].map((match) => match[1]);
  assert.ok(texts.length > 5);
  for (const text of texts) {
    for (const part of text.split("…")) {
      await run("grep", ["-rqF", "--include=*.go", "--exclude=*_test.go", "--", part, "pkg", "scripts"], { cwd: root })
        .catch(() => assert.fail(`nothing answers ${JSON.stringify(part)}`));
    }
  }
});

let folder;
let server;
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "docs-"));
  server = await startLocal("-data", path.join(folder, ".skystash"));
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Returns what a block prints. Shells run in the folder of the data, like people's; modules where the clients are installed. */
async function printed({ language, text }) {
  if (language === "sh") {
    return (await run("bash", ["-euc", text.replaceAll(/^curl .*$/gm, "$&; echo")], { cwd: folder })).stdout;
  }
  const env = { ...process.env, UPSTASH_REDIS_REST_URL: server.url, UPSTASH_REDIS_REST_TOKEN: server.token };
  return (await run(process.execPath, ["--input-type=module", "-e", text], { cwd: integration, env })).stdout;
}

const runnable = pages.flatMap((page) => {
  const all = blocks(page);
  return all.map((block, i) => ({ block, expected: all[i + 1] })).filter(({ block }) => block.run);
});

test("there are examples to run", () => assert.ok(runnable.length >= 3));

for (const { block, expected } of runnable) {
  test(`${block.at}: prints what the page says`, async () => {
    assert.ok(["sh", "js"].includes(block.language), `nothing runs ${block.language}`);
    assert.equal((await printed(block)).replaceAll(/\n+/g, "\n"), expected.text);
  });
}
