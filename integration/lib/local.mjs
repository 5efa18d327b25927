// Starts the local server as users do, as a process of its own.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

let built;
const children = new Set();

// Nothing outlives this process, however it ends.
process.on("exit", () => {
  children.forEach((child) => child.kill("SIGKILL"));
  if (built) {
    rmSync(built, { force: true });
  }
});

/** Starts a program that ends with this process, and returns it with a promise of its end. */
export function spawnChild(command, args, options) {
  const child = spawn(command, args, options);
  children.add(child);
  const exited = once(child, "exit").finally(() => children.delete(child));
  exited.catch(() => {});
  return { child, exited };
}

/**
 * Returns the path of the program, which is in the folder that SKYSTASH_PREBUILT names, or else
 * compiled once for each process.
 */
export function buildLocal() {
  if (process.env.SKYSTASH_PREBUILT) {
    return path.join(process.env.SKYSTASH_PREBUILT, "local");
  }
  if (!built) {
    built = path.join(root, "build", `local-${process.pid}`);
    mkdirSync(path.dirname(built), { recursive: true });
    execFileSync("go", ["build", "-o", built, "./scripts/local"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  }
  return built;
}

/**
 * Waits until a server that was started with spawnChild is ready. What it says afterwards is read and thrown away: it would
 * end if it could not say it.
 */
export async function ready(child) {
  for await (const line of readline.createInterface({ input: child.stdout })) {
    if (line.includes("Ready")) {
      child.stdout.resume();
      return;
    }
  }
  throw new Error("the local server has ended");
}

/**
 * Starts the server on a free port with the given flags and waits until it is ready.
 *
 * @returns {Promise<{url: string, token: string, readOnlyToken: string, replicaUrl?: string, pid: number,
 *   redisUrl?: string, signInUrl: string, email: string, apiKey: string,
 *   kafka: {url: string, username: string, password: string},
 *   stop: (signal?: NodeJS.Signals) => Promise<number | null>}>} stop resolves to the exit status
 */
export async function startLocal(...flags) {
  const { child, exited } = spawnChild(buildLocal(), ["-addr", "127.0.0.1:0", ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  const server = {
    pid: child.pid,
    kafka: {},
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      const [code] = await exited;
      return code;
    },
  };
  const patterns = {
    url: /UPSTASH_REDIS_REST_URL=(\S+)/,
    token: /UPSTASH_REDIS_REST_TOKEN=(\S+)/,
    redisUrl: /REDIS_URL=(redis:\S+)/,
    readOnlyToken: /UPSTASH_REDIS_REST_READONLY_TOKEN=(\S+)/,
    qstashToken: /QSTASH_TOKEN=(\S+)/,
    signInUrl: /(\S+\/console\/sign-in\/link\?key=\S+)/,
    email: /UPSTASH_EMAIL=(\S+)/,
    apiKey: /UPSTASH_API_KEY=(\S+)/,
    replicaUrl: /Replica +(http\S+)/,
  };
  const kafkaPatterns = {
    url: /UPSTASH_KAFKA_REST_URL=(\S+)/,
    username: /UPSTASH_KAFKA_REST_USERNAME=(\S+)/,
    password: /UPSTASH_KAFKA_REST_PASSWORD=(\S+)/,
  };
  for await (const line of readline.createInterface({ input: child.stdout })) {
    for (const [name, pattern] of Object.entries(patterns)) {
      server[name] ??= line.match(pattern)?.[1];
    }
    for (const [name, pattern] of Object.entries(kafkaPatterns)) {
      server.kafka[name] ??= line.match(pattern)?.[1];
    }
    if (line.startsWith("Ready")) {
      child.stdout.resume();
      return server;
    }
  }
  const [code] = await exited;
  throw new Error(`the local server ended with status ${code}`);
}
