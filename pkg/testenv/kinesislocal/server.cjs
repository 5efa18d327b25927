// Runs kinesalite, whose folder is the argument, until standard input ends.
const kinesalite = process.argv[1];

// It does not answer GetShardIterator at all if no record is as young as the time
// asked for; Kinesis answers with the shard's end.
const getRecords = require(`${kinesalite}/actions/getRecords`);
const file = require.resolve(`${kinesalite}/actions/getShardIterator`);
const getShardIterator = require(file);
require.cache[file].exports = (store, data, answer) => {
  if (data.ShardIteratorType !== "AT_TIMESTAMP" || data.Timestamp * 1000 > Date.now()) {
    return getShardIterator(store, data, answer);
  }
  const { Timestamp, ...rest } = data;
  getShardIterator(store, { ...rest, ShardIteratorType: "TRIM_HORIZON" }, (error, first) => {
    if (error) {
      return answer(error);
    }
    getRecords(store, { ShardIterator: first.ShardIterator }, (error, all) => {
      const young = all?.Records.some((record) => record.ApproximateArrivalTimestamp >= Timestamp);
      getShardIterator(store, error || young ? data : { ...rest, ShardIteratorType: "LATEST" }, answer);
    });
  });
};

// What goes wrong with one request must not end the server of all: it stays without an answer, and
// the client tries again.
process.on("uncaughtException", (error) => console.error("kinesalite:", error.stack ?? error));

const server = require(kinesalite)({ createStreamMs: 1, deleteStreamMs: 1, updateStreamMs: 1, shardLimit: 100000 });
server.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
