// Package backup keeps backups of Redis databases as objects: in a bucket of S3, or in files of a [Folder].
//
// # What a backup is
//
// An RDB file, cut into parts:
//
//	<database>/<backup>/part-000000, part-000001, ...    4 MiB each but the last
//	<database>/<backup>/begun-<time>-<name>              written first
//	<database>/<backup>/done-<time>-<bytes>-<keys>-<name>     written last
//
// Times are Unix milliseconds, the name is base64url. All that a list shows is in the names, so that listing takes a
// request for each thousand of them and reads nothing.
//
// # Guarantees
//
//   - A backup that is completed has every key that was there from its beginning to its end, each with a value that it had
//     meanwhile, its expiry, and all that belongs to it. It is no cut at one moment: see package transfer.
//   - A backup that was not completed is none. It is shown as pending for [Patience], and then as failed.
//   - Restore reads the whole backup, its checksum included, before it changes anything. It then clears the database and writes
//     it. If it is interrupted, the database holds a part of the backup, and Restore can be repeated.
//   - Requests that come in during a restore see what there is at the moment.
//
// Users, functions and settings of a database are in no backup.
package backup
