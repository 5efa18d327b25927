// Package batch encodes and decodes Kafka's record batches, format v2 (magic 2,
// KIP-98), which is what producers send, what is stored and what consumers of
// the wire protocol get.
//
//	b, err := batch.Encode(records, 0, int64(len(records)))
//	batch.SetBase(b, base)               // once they are reserved
//	for len(b) > 0 {
//		var info batch.Info
//		info, b, err = batch.Next(b)
//		records, err := info.Records()
//	}
//
// The checksum (CRC-32C) covers everything behind itself, hence neither the base
// offset nor the length: a batch can be encoded before its offsets are known. It
// is checked whenever a batch is taken off its bytes.
//
// # Compression
//
// Batches that gain by it are compressed with gzip, which every client of Kafka reads. Those of before
// were compressed with zstd, which kafka-python and kafkajs do not read as they are installed. All
// of Kafka's codecs are read: gzip, snappy (a block, or the framing of Java's clients), LZ4 frames and zstd.
//
// Batches of other clients are stored as they came, with [ByClient] as their leader epoch.
package batch
