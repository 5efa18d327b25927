// The official suites that run.mjs knows.
import { readFileSync } from "node:fs";
import path from "node:path";
import { excluded, excludedTests } from "./excluded.mjs";

const url = (name, server) => ({ [`${name}UPSTASH_REDIS_REST_URL`]: server.url, [`${name}UPSTASH_REDIS_REST_TOKEN`]: server.token });

/**
 * Each is recognised by the name of the package in its folder of a clone.
 *
 * @type {{name: string, repository: string, package: string, folder: string, tests: string, servers: number,
 *   environment: (servers: {url: string, token: string}[]) => Record<string, string>, preload?: string, retry?: number,
 *   excluded: {files: RegExp, reason: string}[], excludedTests: {file: string, names: string[], reason: string}[]}[]}
 */
export const suites = [
  {
    name: "redis-js",
    repository: "https://github.com/upstash/redis-js",
    package: "@upstash/redis",
    folder: "packages/redis",
    tests: "pkg",
    servers: 1,
    environment: ([server]) => url("", server),
    excluded,
    excludedTests,
  },
  {
    name: "ratelimit-js",
    repository: "https://github.com/upstash/ratelimit-js",
    package: "@upstash/ratelimit",
    folder: ".",
    tests: "src",
    servers: 4, // one, and three for limits over several regions
    environment: ([server, ...regions]) => Object.assign(url("", server), ...["EU2_", "APN_", "US1_"].map((name, i) => url(name, regions[i]))),
    preload: "iplist.mjs",
    retry: 3, // load tests that allow for three windows, but may fall into four
    excluded: [],
    excludedTests: [],
  },
  {
    name: "lock",
    repository: "https://github.com/upstash/lock",
    package: "@upstash/lock",
    folder: ".",
    tests: "src",
    servers: 1,
    environment: ([server]) => url("", server),
    excluded: [],
    excludedTests: [],
  },
  {
    name: "queue",
    repository: "https://github.com/upstash/queue",
    package: "@upstash/queue",
    folder: ".",
    tests: "src",
    servers: 1,
    environment: ([server]) => url("", server),
    excluded: [],
    excludedTests: [
      {
        file: "queue.test.ts",
        names: ["should poll until data arives"],
        reason: "expects that a read that waits is refused; here it waits, for 10 seconds at most, and gets the message",
      },
    ],
  },
];

/** Recognises the suite in a clone. */
export function suiteIn(checkout) {
  return suites.find((suite) => {
    try {
      return JSON.parse(readFileSync(path.join(checkout, suite.folder, "package.json"), "utf8")).name === suite.package;
    } catch {
      return false;
    }
  });
}
