// What the official suite of redis-js tests that Skystash does not have.

/** Files that are not run. */
export const excluded = [];

/** Single tests of the files that are run, by the end of their names; they are expected to fail. */
export const excludedTests = [
  {
    file: "commands/search/search.test.ts",
    names: [
      "createIndex > creates a string index with simple schema",
      "createIndex > creates a string index with nested schema",
      "createIndex > creates a hash index",
      "createIndex > creates a json index with simple schema",
      "createIndex > creates a json index with nested schema",
      "createIndex > creates index with language option",
      "createIndex > creates index with multiple prefixes",
      "SearchIndex.query (string) > (unnamed)",
      "SearchIndex.query (json) > (unnamed)",
      "SearchIndex.count > (unnamed)",
      "SearchIndex.describe > (unnamed)",
      "SearchIndex.drop > drops an existing index",
      "SearchIndex.drop > drop non-existing index returns 0",
      "Non-existing index behavior > describe non-existing index returns null",
      "Non-existing index behavior > query non-existing index returns empty array",
      "Non-existing index behavior > count non-existing index returns -1",
      "Non-existing index behavior > waitIndexing non-existing index does not throw",
      "Date field queries > (unnamed)",
      "Score function queries > (unnamed)",
      "Hash index queries > (unnamed)",
      "Nested string index queries > (unnamed)",
      "Nested json index queries > (unnamed)",
      "Field aliasing with 'from' and stemming > (unnamed)",
      "describe returns FROM aliases > string field with .from() is preserved in describe",
      "describe returns FROM aliases for all field types > number, boolean, and date fields with .from() are preserved",
      "describe returns FROM with nested path > .from() with dotted path is preserved in describe",
      "SearchIndex.aggregate (json) > (unnamed)",
      "SearchIndex.aggregate - facet (json) > (unnamed)",
      "alias commands > (unnamed)",
    ],
    reason: "search",
  },
  { file: "redis.test.ts", names: ["should create index, seed data, and query"], reason: "search" },
];
