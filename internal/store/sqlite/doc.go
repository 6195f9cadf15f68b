// Package sqlite keeps everything in one SQLite file: the items of
// store.Store, the log of their changes (store.Feed), and the times that
// stand in for EventBridge Scheduler. It is the embedded counterpart of
// DynamoDB and its stream.
//
// What a call acknowledged survives kill -9 and a loss of power: the file is
// in WAL mode with synchronous=FULL. One connection writes, others read beside
// it. What was just written or read is in memory (memory.go). Short commands of another
// process may open the same file by [Beside]; [Lock] keeps a second server away. [Reserve] keeps room for the day when the disk is full.
package sqlite
