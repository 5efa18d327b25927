// What the official suite of redis-js tests that Skystash does not have.

/** Files that are not run. */
export const excluded = [{ files: /search/, reason: "search" }];

/** Single tests of the files that are run, by the end of their names; they are expected to fail. */
export const excludedTests = [{ file: "redis.test.ts", names: ["should create index, seed data, and query"], reason: "search" }];
