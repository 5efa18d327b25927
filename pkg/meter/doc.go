// Package meter counts what resources use: a Redis database, a Kafka cluster, a QStash account.
//
// A request leaves one [Record] behind. It reaches the usage items of the control table without a
// call on the request's path, in one of two ways:
//
//	AWS     a function's Writer adds records up, and prints a line at most once a minute; a subscription of
//	        the log group invokes functions/meter, which folds it
//	local   an Accumulator adds records up in memory; once a second its sums are folded
//
// [Folder.Fold] adds what it is given to the usage of hours and days, exactly once. [Book] reads
// that: counters for each class of operations, and a [Sketch] of latencies, from which percentiles
// follow. A [Limiter] compares usage with a resource's [Limits] after each fold.
//
// # Exactly once
//
// The transport delivers lines late, out of order, twice, or never. Each carries the id of the instance that
// wrote it and the number of its first sum; the numbers of an instance's sums are dense. What has been folded of an instance is
// therefore a short list of intervals, mostly one, whatever the number of records. It is one item, its marker. A
// fold is a transaction: the marker's new intervals, on condition that nobody has changed it since it was
// read, and additions to usage items. A fold that fails, is repeated, or runs beside another
// one that has the same lines, adds nothing twice; one whose outcome is unknown is resolved
// by reading the marker again. A line that never arrives leaves a gap; a marker remembers the newest 256 gaps
// and gives up on older ones: their lines count as lost, even if they arrive later.
//
// # Late, and lost
//
// A record is in memory until its instance's next line: for a minute if requests go on coming, and if not, until
// Lambda thaws the instance for another request or ends it, mostly within a quarter of an hour. Lambda announces the end. A process that
// is killed without notice, because it has used up its memory or its time, or by a fault of the machine, takes
// with it what it holds: at most 1,000 records, of at most the last minute in which it had requests, and never any that
// was in a line already.
//
// Markers are deleted a week after their instance's last line was folded, later than any
// transport repeats it.
//
// # Items
//
// They are in the control table; all partitions begin with u.
//
//	hour     'uh' product '/' id    YYYYMMDDHH    usage of an hour, kept for 100 days
//	day      'ud' product '/' id    YYYYMMDD      usage of a day, kept for 800 days
//	marker   'ui' instance          's'           g (intervals), n (how many numbers are in them), l (how many of these are lost)
//	status   'us' product '/' id    's'           how usage compares with the limits, see Status
//	storage  'us' product '/' id    'b'           how much is stored, see Storage
//
// Hours and days are UTC. An item of usage has one attribute for each class and counter, such as "read.q", and one
// for each class and bucket of its latencies that is not empty, such as "read.87". Items have TTLs.
package meter
