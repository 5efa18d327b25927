// Runs a group of tests on each store.
import { after, before, describe } from "node:test";
import { Redis } from "@upstash/redis";
import { startDynamoDB } from "../lib/dynamodb.mjs";
import { startLocal } from "../lib/local.mjs";

let table = 0;

/**
 * Calls body once for each store, inside a describe block whose server runs meanwhile.
 *
 * @param {string} name of the group
 * @param {(server: {url: string, token: string, readOnlyToken: string,
 *   connect: (options?: object) => Redis}) => void} body; the fields are set when the tests run
 */
export function onEachStore(name, body) {
  for (const store of ["embedded", "dynamo"]) {
    describe(`${name} (${store})`, () => {
      const server = {
        connect: (options) => new Redis({ url: server.url, token: server.token, ...options }),
      };
      let running;
      let dynamo;
      before(async () => {
        if (store === "dynamo") {
          dynamo = await startDynamoDB();
        }
        running = await startLocal(
          "-ephemeral",
          ...(dynamo ? ["-store", "dynamo", "-endpoint", dynamo.endpoint, "-table", `node-${process.pid}-${++table}`] : []),
        );
        Object.assign(server, { url: running.url, token: running.token, readOnlyToken: running.readOnlyToken });
      });
      after(async () => {
        await running?.stop();
        await dynamo?.stop();
      });
      body(server);
    });
  }
}

let keys = 0;

/** A key that no other test uses. */
export const newKey = (name = "key") => `${name}:${process.pid}:${++keys}`;

/** Asserts on numbers that the clock has a part in. */
export function near(actual, expected, tolerance) {
  if (!(Math.abs(actual - expected) <= tolerance)) {
    throw new Error(`${actual} is not within ${tolerance} of ${expected}`);
  }
}
