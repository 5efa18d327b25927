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
// is checked whenever a batch is taken off its bytes. Batches that gain by it are
// compressed with zstd.
package batch
