// Stands in for the list of addresses that @upstash/ratelimit fetches from the web, so that its tests need none.
// The addresses are from the ranges that are set aside for documentation (RFC 5737).
const list = /^https:\/\/raw\.githubusercontent\.com\/stamparm\/ipsum\/.*\/(\d)\.txt$/;
const addresses = Array.from({ length: 500 }, (_, i) => `${["192.0.2", "198.51.100"][i >> 8]}.${i & 255}`);
const fetchFromNetwork = globalThis.fetch;

globalThis.fetch = Object.assign(async (input, init) => {
  const level = String(input?.url ?? input).match(list)?.[1];
  if (level === undefined) {
    return fetchFromNetwork(input, init);
  }
  // The higher the level, the fewer addresses.
  return new Response(addresses.slice(0, Math.ceil(addresses.length / Number(level))).join("\n") + "\n");
}, fetchFromNetwork);
