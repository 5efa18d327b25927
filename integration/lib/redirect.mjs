// Preloaded into a command line program of Upstash's, which has the address of their API built in:
// sends its requests to SKYSTASH_API_URL instead.
const original = globalThis.fetch;
globalThis.fetch = (url, init) => {
  const target = new URL(url);
  if (target.origin === "https://api.upstash.com") {
    return original(process.env.SKYSTASH_API_URL + target.pathname + target.search, init);
  }
  return original(url, init);
};
