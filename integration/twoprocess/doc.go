// Package twoprocess runs two local servers over one DynamoDB Local and one kinesalite, kills either
// of them every few seconds as kill -9 does, and checks what clients were promised all the while:
//
//   - transfers by MULTI and by Lua conserve the sum;
//   - a counter is at least what was acknowledged, and at most that and what has an unknown outcome;
//   - a lock by SET NX has one holder;
//   - a list keeps every job until one worker, and no other, has done it;
//   - a Kafka group that commits after processing misses nothing that was acknowledged, each offset has
//     one message, and committed offsets never go back;
//   - every message that a QStash queue has accepted is delivered, in order, and never two at a time.
//
// Besides, clients that are blocked on one server are woken by writes through the other.
//
// The verdict does not depend on time: the work stops after -for, and what is checked then is complete.
//
//	go test ./integration/twoprocess -for 10m -kill-every 2s
package twoprocess
