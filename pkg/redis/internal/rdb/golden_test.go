package rdb

import (
	"math"
	"strings"
)

// goldens are payloads that real servers answered to DUMP, in base64; where the name
// tells none, Redis 7.0.15.
var goldens = []struct {
	name, payload string
	value         Value
}{
	{
		"string",
		"AAVoZWxsbwoAY3LfdmU0IAo=",
		Value{Kind: String, String: "hello"},
	},
	{
		"int8 string",
		"AMD7CgBJxMb01yY/aA==",
		Value{Kind: String, String: "-5"},
	},
	{
		"int16 string",
		"AMEsAQoAlUJh8mWCXBA=",
		Value{Kind: String, String: "300"},
	},
	{
		"int32 string",
		"AMKghgEACgDxJANQby+mdA==",
		Value{Kind: String, String: "100000"},
	},
	{
		"larger integer",
		"AAs5OTk5OTk5OTk5OQoAI7BI+w7b738=",
		Value{Kind: String, String: "99999999999"},
	},
	{
		"compressed string",
		"AMMJQMgBYWHguwABYWEKAB+Z9y4Bsg3j",
		Value{Kind: String, String: strings.Repeat("a", 200)},
	},
	{
		"string of Redis 6.2",
		"AAVoZWxsbwkAs4COujGyQ7s=",
		Value{Kind: String, String: "hello"},
	},
	{
		"string of Redis 8.0",
		"AAVoZWxsbwwAqATrtp8evkM=",
		Value{Kind: String, String: "hello"},
	},
	{
		"quicklist of a compressed ziplist, Redis 6.2",
		"DgHDQGVBwgTCAQAAuyADHxMAAAFhA/IC/vsDwCwBBPBwEQEF0H+WmAAG4P/ndkgXHAAAAAr9Av4NA/7/A/5/A/6AA8CAAATA/w8EwAAQIAME8ARAQGLgNgADQ0EsY+D/AOAaAAH+LyG3AQD/CQBQpwNYPwsi3Q==",
		Value{Kind: List, List: []string{"a", "1", "-5", "300", "70000", "9999999", "99999999999", "12", "13", "-1", "127", "-128", "128", "4095", "4096", "-4096", strings.Repeat("b", 64), strings.Repeat("c", 300), ""}},
	},
	{
		"quicklist of listpacks",
		"EgECw0BZQbUftQEAABMAgWECAQHf+wLBLALycBEBBPN/lpgABfT/53YfSBcAAAAJDAENAd//An8B34ACwIACz/8C8QAQA9AAAuABQGLgNgADQuEsY+D/AOAaAAQCroAB/woAocKWn5LiAPc=",
		Value{Kind: List, List: []string{"a", "1", "-5", "300", "70000", "9999999", "99999999999", "12", "13", "-1", "127", "-128", "128", "4095", "4096", "-4096", strings.Repeat("b", 64), strings.Repeat("c", 300), ""}},
	},
	{
		"quicklist of a compressed listpack, Redis 8.0",
		"EgECw0BZQbUftQEAABMAgWECAQHf+wLBLALycBEBBPN/lpgABfT/53YfSBcAAAAJDAENAd//An8B34ACwIACz/8C8QAQA9AAAuABQGLgNgADQuEsY+D/AOAaAAQCroAB/wwAarSiX2jInr4=",
		Value{Kind: List, List: []string{"a", "1", "-5", "300", "70000", "9999999", "99999999999", "12", "13", "-1", "127", "-128", "128", "4095", "4096", "-4096", strings.Repeat("b", 64), strings.Repeat("c", 300), ""}},
	},
	{
		"quicklist of three nodes",
		"EgMCDQ0AAAACAIFhAoFiAv8CDQ0AAAACAIFjAoFkAv8CCgoAAAABAIFlAv8KAOxSNqdgIKHb",
		Value{Kind: List, List: []string{"a", "b", "c", "d", "e"}},
	},
	{
		"quicklist with a plain node",
		"EgMCCgoAAAABAIFhAv8BCmFiY2RlZmdoaWoCCgoAAAABAIFiAv8KAKjSTKpcBFEa",
		Value{Kind: List, List: []string{"a", "abcdefghij", "b"}},
	},
	{
		"intset of 16 bits",
		"Cw4CAAAAAwAAAP//AgADAAoAyHqSKj1954w=",
		Value{Kind: Set, Set: []string{"-1", "2", "3"}},
	},
	{
		"intset of 32 bits",
		"CxAEAAAAAgAAAAMAAACghgEACgAkq91PS7sJYQ==",
		Value{Kind: Set, Set: []string{"3", "100000"}},
	},
	{
		"intset of 64 bits",
		"CxgIAAAAAgAAAAMAAAAAAAAA/+d2SBcAAAAKALWf6od/Y57f",
		Value{Kind: Set, Set: []string{"3", "99999999999"}},
	},
	{
		"set",
		"AgIBYgFhCgB12Z2DXvhfZQ==",
		Value{Kind: Set, Set: []string{"b", "a"}},
	},
	{
		"set listpack, Redis 8.0",
		"FA0NAAAAAgCBYQKBYgL/DACoRYMHThahlA==",
		Value{Kind: Set, Set: []string{"a", "b"}},
	},
	{
		"hash",
		"BAEBZsMJQEEBdnbgNAABdnYKAD1xvlI3hs9F",
		Value{Kind: Hash, Hash: []Field{{"f", strings.Repeat("v", 65), 0}}},
	},
	{
		"hash ziplist, Redis 6.2",
		"DRYWAAAAEwAAAAQAAAFmAwF2AwFuA/j/CQCq5kJ0+L1ywQ==",
		Value{Kind: Hash, Hash: []Field{{"f", "v", 0}, {"n", "7", 0}}},
	},
	{
		"hash listpack",
		"EBISAAAABACBZgKBdgKBbgIHAf8KALgq3qhAf/qo",
		Value{Kind: Hash, Hash: []Field{{"f", "v", 0}, {"n", "7", 0}}},
	},
	{
		"expiring hash, Redis 8.0",
		"GHs402C6AQAAA0NtAWgBeAABZsMJQEEBdnbgNAABdnYBAWcBdwwAdZz8X8yyRQ8=",
		Value{Kind: Hash, Hash: []Field{{"h", "x", 1900000000999}, {"f", strings.Repeat("v", 65), 0}, {"g", "w", 1900000000123}}},
	},
	{
		"expiring hash listpack, Redis 8.0",
		"GXs402C6AQAAHx8AAAAGAIFnAoF3AvR7ONNgugEAAAmBZgKBdgIAAf8MALypacBuFtm9",
		Value{Kind: Hash, Hash: []Field{{"g", "w", 1900000000123}, {"f", "v", 0}}},
	},
	{
		"sorted set",
		"BQHDCUBBAW1t4DQAAW1tAAAAAAAA+D8KAPeC934UDd8j",
		Value{Kind: ZSet, ZSet: []Member{{strings.Repeat("m", 65), 1.5}}},
	},
	{
		"sorted set ziplist, Redis 6.2",
		"DCkpAAAAIwAAAAgAAAFjAwQtaW5mBgFhAwMxLjUFAWID8wIBZAMDaW5m/wkAkx5UyD9IUkw=",
		Value{Kind: ZSet, ZSet: []Member{{"c", math.Inf(-1)}, {"a", 1.5}, {"b", 2}, {"d", math.Inf(1)}}},
	},
	{
		"sorted set listpack",
		"ESUlAAAACACBYwKELWluZgWBYQKDMS41BIFiAgIBgWQCg2luZgT/CgClvjm/XmgDPQ==",
		Value{Kind: ZSet, ZSet: []Member{{"c", math.Inf(-1)}, {"a", 1.5}, {"b", 2}, {"d", math.Inf(1)}}},
	},
	{
		"stream of one entry",
		streamPayload,
		Value{Kind: StreamKind, Stream: &Stream{
			Entries: []StreamEntry{{StreamID{1, 1}, []string{"a", "b"}}}, Last: StreamID{1, 1}, Added: 1,
		}},
	},
	{
		"stream with a deleted entry, and groups",
		"EwEQAAAAAAAAAAEAAAAAAAAABcNAaUDLEssAAAAlAAQBAQECAYFhAoFiAgAgCQAAIAEHAQGDdHdvBAVgDgcCAcEsAoABBSAVDwEB3/wCAQGBYwLykO7+BAYgGwACQBIF9P/ndkgXIE4DCeBkeOBaAABmQJkDAwHf+yCMAAIgmQD/BAQAAQUCAQUCBWVtcHR5AwCB//////////8AAAFnAwEEBAAAAAAAAAABAAAAAAAAAAXt43MPogEAAAIAAAAAAAAAAQAAAAAAAAAH7eNzD6IBAAACAAAAAAAAAAIAAAAAAAAAAdnjcw+iAQAAAQAAAAAAAAADAAAAAAAAAAHt43MPogEAAAICBWFsaWNl7eNzD6IBAAADAAAAAAAAAAEAAAAAAAAABQAAAAAAAAABAAAAAAAAAAcAAAAAAAAAAwAAAAAAAAABA2JvYtnjcw+iAQAAAQAAAAAAAAACAAAAAAAAAAEKAPYqCViKKSM6",
		Value{Kind: StreamKind, Stream: testStream()},
	},
}

// testStream is a stream with most of what there may be.
func testStream() *Stream {
	return &Stream{
		Entries: []StreamEntry{
			{StreamID{1, 5}, []string{"a", "1", "b", "two"}},
			{StreamID{1, 7}, []string{"a", "300", "b", ""}},
			{StreamID{3, 1}, []string{"a", "99999999999", "b", strings.Repeat("x", 100)}},
			{StreamID{4, 0}, []string{"a", "1", "b", "2"}},
		},
		Last: StreamID{4, 0}, Removed: StreamID{2, 1}, Added: 5,
		Groups: []StreamGroup{
			{Name: "empty", Last: StreamID{3, 0}, Read: -1},
			{
				Name: "g", Last: StreamID{3, 1}, Read: 4,
				Pending: []StreamPending{
					{StreamID{1, 5}, "alice", 1795555582957, 2},
					{StreamID{1, 7}, "alice", 1795555582957, 2},
					{StreamID{2, 1}, "bob", 1795555582937, 1},
					{StreamID{3, 1}, "alice", 1795555582957, 2},
				},
				Consumers: []StreamConsumer{{"alice", 1795555582957, 1795555582957}, {"bob", 1795555582937, 1795555582937}},
			},
		},
	}
}

const streamPayload = "EwEQAAAAAAAAAAEAAAAAAAAAAR0dAAAACgABAQABAQGBYQIAAQIBAAEAAYFiAgQB/wEBAQEBAAABAAoAb0M07Nf6Wuw="
