package command

import (
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/token"
)

// Maker is the credential that commands run for. The zero Maker stands for the owner of the database.
type Maker struct {
	Credential string    // id; "": none, such as in the console
	Generation int64     // 0: the database's present one
	Expires    time.Time // zero: never

	User, Birth string // the user that acts, if one does
}

// Same reports whether two makers are one. Both must know their generation.
func (m Maker) Same(other Maker) bool {
	return m.Credential == other.Credential && m.Generation == other.Generation && m.User == other.User && m.Birth == other.Birth
}

// Opens reports whether the credential opens a database.
func (m Maker) Opens(db *keyspace.Database, now time.Time) bool {
	claims := token.Claims{CredentialID: m.Credential, Generation: m.Generation}
	return !claims.Withdrawn(db.CredentialGeneration, db.Revoked) && (m.Expires.IsZero() || now.Before(m.Expires))
}

// Encode is what DecodeMaker reads.
func (m Maker) Encode() []string {
	expires := int64(0)
	if !m.Expires.IsZero() {
		expires = m.Expires.Unix()
	}
	return []string{m.Credential, strconv.FormatInt(m.Generation, 10), strconv.FormatInt(expires, 10), m.User, m.Birth}
}

// DecodeMaker reads a Maker from the words of a user's item.
func DecodeMaker(words []string) Maker {
	if len(words) != 5 {
		return Maker{}
	}
	m := Maker{Credential: words[0], User: words[3], Birth: words[4]}
	m.Generation, _ = strconv.ParseInt(words[1], 10, 64) // 0 opens nothing
	expires, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return Maker{}
	}
	if expires != 0 {
		m.Expires = time.Unix(expires, 0).UTC()
	}
	return m
}
