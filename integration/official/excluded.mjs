// What the official suite tests that Skystash does not have yet.

/** Files that are not run. */
export const excluded = [
  { files: /^commands\/(eval|evalRo|evalsha|evalshaRo|script_[a-z]+)\.test|^script(Ro)?\.test/, reason: "Lua scripts" },
  { files: /^commands\/(fcall|fcall_ro|function_[a-z]+)\.test|^functions\.integration/, reason: "functions" },
  { files: /search/, reason: "search" },
];

/** Single tests of the files that are run, by the end of their names; they are expected to fail. */
export const excludedTests = [
  {
    file: "auto-pipeline.test.ts",
    names: [
      "should auto-pipeline createScript().eval() calls",
      "should batch a large Promise.all of mixed reads and writes into one read and one write pipeline",
      "should isolate errors between parallel callers so a caught failure doesn't affect another concurrent flow",
    ],
    reason: "Lua scripts",
  },
  { file: "pipeline.test.ts", names: ["use all the things > works"], reason: "one pipeline of 144 commands with scripts and streams among them" },
  { file: "pipeline.test.ts", names: ["should throw without keepErrors", "should return errors with keepErrors"], reason: "Lua scripts" },
  { file: "read-your-writes.test.ts", names: ["updates after successful lua script call"], reason: "Lua scripts" },
  { file: "redis.test.ts", names: ["should create index, seed data, and query"], reason: "search" },
];
