// Package browse is the model of a data browser over a [redis.Engine]: it lists a
// database's keys, reads the elements of a key in pages, and edits them. It knows
// neither HTTP nor how anything looks.
//
// Everything is done by Redis commands with full access. An edit of something that was
// shown goes along with the [Digest] of what was shown, and is refused with
// [ErrChanged] if it is something else by then: check and edit are one script, hence
// atomic; the script is not kept among the database's. Names and values are any bytes.
package browse
