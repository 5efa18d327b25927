// The program for this machine, and a server of it for tests.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import readline from "node:readline";

const require = createRequire(import.meta.url);

export function binary() {
  if (process.env.SKYSTASH_BINARY) {
    return process.env.SKYSTASH_BINARY;
  }
  const name = `skystash-${process.platform}-${process.arch}`;
  try {
    return require.resolve(`${name}/skystash${process.platform === "win32" ? ".exe" : ""}`);
  } catch {
    throw new Error(
      `The package ${name} is not installed. It is an optional dependency of skystash: was it left out by --omit=optional, ` +
        "or was node_modules copied from a machine of another kind? If there is none for this machine, name a program that you have compiled in SKYSTASH_BINARY.",
    );
  }
}

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export async function startSkystash({ flags = [], timeout = 30_000 } = {}) {
  const any = "127.0.0.1:0";
  const args = ["dev", "--ephemeral", "--quiet", "--addr", any, "--redis-addr", any, "--redis-tls-addr", "", "--kafka-addr", any, "--kafka-tls-addr", "", ...flags];
  const child = spawn(binary(), args, { stdio: ["ignore", "pipe", "pipe"], windowsHide: true });
  running.add(child);
  let log = "";
  child.stderr.on("data", (text) => (log = (log + text).slice(-10_000)));
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(String(error)));
    child.once("exit", (code, signal) => resolve(`it ended with ${signal ?? `status ${code}`}`));
  }).then((how) => {
    running.delete(child);
    return how;
  });
  const env = {};
  const ready = (async () => {
    for await (const line of readline.createInterface({ input: child.stdout })) {
      const [, name, value] = line.match(/^ +([A-Z][A-Z0-9_]*)=(.*)$/) ?? [];
      if (name) {
        env[name] = value;
      }
      if (line.startsWith("Ready")) {
        return;
      }
    }
    throw new Error(`skystash did not start: ${await ended}\n${log}`);
  })();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`skystash was not ready after ${timeout} ms\n${log}`)), timeout);
  });
  try {
    await Promise.race([ready, late]);
  } catch (error) {
    ready.catch(() => {});
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
  }
  child.stdout.resume();
  // A test's process ends when its work is done, whether it has stopped the server or not.
  child.unref();
  child.stdout.unref?.();
  child.stderr.unref?.();
  const stop = async () => {
    child.kill("SIGTERM");
    child.ref();
    await ended;
  };
  return {
    url: env.UPSTASH_REDIS_REST_URL,
    token: env.UPSTASH_REDIS_REST_TOKEN,
    readOnlyToken: env.UPSTASH_REDIS_REST_READONLY_TOKEN,
    redisUrl: env.REDIS_URL,
    kafka: {
      url: env.UPSTASH_KAFKA_REST_URL,
      username: env.UPSTASH_KAFKA_REST_USERNAME,
      password: env.UPSTASH_KAFKA_REST_PASSWORD,
      brokers: env.KAFKA_BROKERS,
    },
    qstash: {
      url: env.QSTASH_URL,
      token: env.QSTASH_TOKEN,
      currentSigningKey: env.QSTASH_CURRENT_SIGNING_KEY,
      nextSigningKey: env.QSTASH_NEXT_SIGNING_KEY,
    },
    env,
    pid: child.pid,
    stop,
    [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]: stop,
  };
}
