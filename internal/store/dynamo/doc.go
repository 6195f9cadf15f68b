// Package dynamo keeps everything in one DynamoDB table: the implementation of
// store.Store in AWS. [Schema] describes the table to infra, which makes it, and
// [Batch] reads the table's stream for the functions that follow changes. The
// counterpart on one machine is store/sqlite; a fake of DynamoDB for tests is
// store/dynamo/dynamotest.
//
// An item of store.Store is an item of the table, under the same key, written
// whole by one conditional PutItem. Nothing is ever updated in place.
//
// # Reading and writing
//
// Get is consistent. A write is conditional on the stored revision; when the
// condition fails, DynamoDB hands back the stored item, whose writer tells a
// lost race from an earlier try of this write whose answer was lost. The SDK
// tries again what was throttled, broke or timed out; a fault that lasts is
// returned as it is.
//
// DynamoDB deletes an item up to days after its time to live. An item counts as
// gone from its exact time on, in conditions too.
//
// # Indexes
//
// The indexes hold keys only. An entry is then smaller than one write unit (1
// KB), and is written only when what it is found by changes, while a run of
// several KB is written at each step: with whole items in five indexes, these
// would cost several times the table. A listing therefore reads the index and
// then the items, consistently; what an entry no longer describes is left out.
// Sort keys end with the item's key, so that no two are alike and a place in a
// listing is a sort key, whether or not that item is still there.
//
// # Limits
//
// DynamoDB writes at most 1,000 units a second under one partition key of an
// index, and throttles the table when an index can't follow. All due items
// share one partition, and moving a due time takes two units: 500 changes of
// due times a second, or some 40 million a day. A status or a flow has the same
// limit of its own. More partitions would make each sweep as many queries.
//
// # Rights
//
// The key is the table's only key attribute, so that a role can be limited to
// kinds by the condition dynamodb:LeadingKeys, such as "run#*". The leading key
// of an index is its partition: the kind ("token#") in the index by kind, and
// in the others what they are by. A role that lists needs Query on the index
// and BatchGetItem on the keys that it finds. No role needs Scan or UpdateItem.
package dynamo
