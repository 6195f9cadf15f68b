// Package local does on one machine what Step Functions, EventBridge Scheduler
// and the streams do in AWS: it walks runs through the step table, fires
// schedules, sweeps, and hands the change feed to its readers.
//
// Nothing here has to survive: what an execution stands at is flow.Next of its
// run, what a timer waits for is in the store, and Engine.Recover finds both
// again after a crash.
package local
