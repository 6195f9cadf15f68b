// Package audit keeps audit records as files of this machine, in the layout
// that the log has in S3:
//
//	year=2026/month=03/day=02/hour=09/20260302T091035.123456789Z-k3vq7a2x.jsonl.gz
//
// Partitions go by arrival, so that a partition which is over stays as it is.
// Each batch is one file of JSON lines, which appears whole or not at all.
// Names sort by time: reading on means reading the names after the last one.
//
// The transparency log over the records lies beside it, in a [Folder].
package audit
