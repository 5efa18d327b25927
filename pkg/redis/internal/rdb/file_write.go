package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"slices"
)

// Versions of RDB files, by the release of Redis that reads them first.
const (
	VersionRedis70 = versionStream2
	VersionRedis72 = versionStream3
	VersionRedis74 = versionExpiring
)

// Codes in a file that stand where the type of a value would.
const (
	opSlotInfo   = 244 // three lengths
	opFunction2  = 245 // source of a library
	opModuleAux  = 247 // data of a module that belong to no key
	opIdle       = 248 // seconds as a length, of the next key
	opFreq       = 249 // a byte, of the next key
	opAux        = 250 // name and value
	opResizeDB   = 251 // number of keys, and of those that expire
	opExpireMs   = 252 // 8 bytes, little-endian Unix milliseconds, of the next key
	opExpire     = 253 // 4 bytes, little-endian Unix seconds, of the next key
	opSelectDB   = 254 // number of the database that follows
	opEOF        = 255 // and then 8 bytes of checksum, little-endian; 0: none
	fileMagic    = "REDIS"
	fileMagicLen = len(fileMagic) + 4 // with the version in four digits
)

// ErrNewer is the error of a value that needs a newer version of the format.
var ErrNewer = errors.New("value needs a newer version of RDB")

// FileWriter writes an RDB file, which a redis-server loads when it starts: a header, the keys of database 0, and
// a checksum of everything before.
type FileWriter struct {
	w       io.Writer
	version int
	crc     uint64
	buf     []byte
}

// NewFileWriter begins a file of a version. aux are names and values that tell where the file is from.
func NewFileWriter(w io.Writer, version int, aux ...string) (*FileWriter, error) {
	f := &FileWriter{w: w, version: version, crc: ^uint64(0)}
	b := fmt.Appendf(nil, "%s%04d", fileMagic, version)
	for pair := range slices.Chunk(aux, 2) {
		b = appendString(appendString(append(b, opAux), pair[0]), pair[1])
	}
	b = append(b, opSelectDB, 0)
	return f, f.write(b)
}

func (f *FileWriter) write(b []byte) error {
	f.crc = crc64.Update(f.crc, jones, b)
	_, err := f.w.Write(b)
	return err
}

// Write adds a key with the payload of its value, as [Dump] makes it. expireAt is in Unix milliseconds, 0: never.
// [ErrNewer] says that files of this version do not have such values: see [Older].
func (f *FileWriter) Write(key string, expireAt int64, payload string) error {
	d, err := open(payload)
	if err != nil {
		return err
	}
	if d.rest == "" || versionOf(d.rest[0]) > f.version {
		return ErrNewer
	}
	b := f.buf[:0]
	if expireAt > 0 {
		b = binary.LittleEndian.AppendUint64(append(b, opExpireMs), uint64(expireAt))
	}
	b = append(b, d.rest[0])
	b = append(appendLen(b, uint64(len(key))), key...)
	b = append(b, d.rest[1:]...)
	f.buf = b
	return f.write(b)
}

// Close ends the file. It does not close what it was written to.
func (f *FileWriter) Close() error {
	if err := f.write([]byte{opEOF}); err != nil {
		return err
	}
	_, err := f.w.Write(binary.LittleEndian.AppendUint64(nil, ^f.crc))
	return err
}

// versionOf is the first version of the format that has a type of values.
func versionOf(kind byte) int {
	switch kind {
	case typeHashListpack, typeZSetListpack, typeListQuicklist2, typeStream2:
		return versionStream2
	case typeSetListpack, typeStream3:
		return versionStream3
	case typeHashExpiring, typeHashExpiringLP:
		return versionExpiring
	}
	return versionPlain
}

// Older returns a payload with the same value in the types that a version of the format has, and what got lost by
// that, in words, or "". Version 9 has no stream with what Redis 7.0 counts, so streams need version 10.
func Older(payload string, version int) (older, lost string, err error) {
	if d, err := open(payload); err != nil {
		return "", "", err
	} else if d.rest != "" && versionOf(d.rest[0]) <= version {
		return payload, "", nil
	}
	v, err := Load(payload)
	if err != nil {
		return "", "", err
	}
	switch {
	case v.Kind == Hash && version < versionExpiring && firstExpiry(v.Hash) > 0:
		lost = "the fields' times to live, which Redis has since 7.4"
		for i := range v.Hash {
			v.Hash[i].ExpireAt = 0
		}
	case v.Kind == StreamKind && version < versionStream2:
		return "", "", ErrNewer
	case v.Kind == StreamKind && version < versionStream3 && v.Stream.exactTimes():
		lost = "the times when consumers were active, which Redis has since 7.2"
		for _, g := range v.Stream.Groups {
			for i := range g.Consumers {
				g.Consumers[i].Active = g.Consumers[i].Seen
			}
		}
	}
	return Dump(v), lost, nil
}

// IsJSON reports whether a payload is of a document of RedisJSON.
func IsJSON(payload string) bool {
	if payload == "" || payload[0] != typeModule2 {
		return false
	}
	d := decoder{rest: payload[1:]}
	id := d.length()
	return id>>moduleVersion == moduleID(jsonModule, 0)>>moduleVersion
}
