// Package pubsub is the messages of channels: PUBLISH and PUBSUB, subscriptions, and the lines that MONITOR shows.
//
// A [Broker] is what an engine has of them. [Broker.Publish] sends a message in a transaction: it is sent if the
// transaction commits. [Broker.Subscribe] makes a [Subscription], whose Next waits for messages. [Broker.Commands] are
// the commands, for the engine's table.
//
// Messages are kept in short logs, because instances share nothing but the store:
//
//	log       'p' db 0 number        0x00                     n (number of the last message), l (the last messages), q*
//	segment   'p' db 0 number        0x01 number of its last  l (messages that were in the log's item before)
//	body      'p' db 0 number        0x02 message chunk       v (a part of a message over 1 KiB)
//	channel   'u' db                 0x01 channel             i* (an instance's subscriptions), w
//	patterns  'u' db                 0x02                     i* (an instance's subscriptions), w
//
// PUBLISH reads who has subscribed (one call of two read units) and, if anybody has, appends to
// the log's item blindly (one call; the item is small, so mostly one or two write units), or as a
// part of the transaction's commit. The number of a message is given by that very write: messages are
// numbered without gaps in the order in which they are committed, none can appear later with a
// lower number, whatever clocks and answers do. Of the order in which an instance reads them nothing
// depends on time. A write whose answer is lost is sealed: it either has taken effect or never will.
// A full item is emptied into a segment, which is kept for ten minutes.
//
// A channel belongs to one of up to 8 logs, by its name. An instance with subscriptions reads
// each log they need once for all of them, at once after its own publications, otherwise every 25
// to 200 ms (a call of one read unit: five a second while nothing happens, about 1.60 dollars a
// month for a subscription that never ends; patterns read all logs). Subscribers have a
// bounded queue; one that is slower reads the log by itself, and one that is slower
// than the log's life is cut off. Subscriptions are renewed every 20 seconds; what an
// instance that dies leaves behind counts for no more than a minute.
//
// A shard channel is an ordinary one whose name has a prefix, and which no pattern matches.
//
// MONITOR is a log of its own: see [Broker.Monitor]. The engine writes to it only as long as an attribute of the database's
// record asks for that, so a database that nobody monitors pays nothing for it.
package pubsub
