package dynamo

import (
	"strings"

	"github.com/symflows/symflows/internal/store"
)

// Table describes the table that a [Store] works on. All key attributes, its
// own and those of its indexes, are strings. It is billed on demand.
type Table struct {
	Key     string  // the partition key; there is no sort key
	TTL     string  // the attribute with the time to live
	Stream  string  // what the stream shows of a change (StreamViewType)
	Indexes []Index // global secondary indexes
}

// Index describes a global secondary index. An item that lacks one of the two
// keys is not in it.
type Index struct {
	Name       string
	Partition  string // the partition key
	Sort       string // the sort key
	Projection string // what an entry has besides the keys (ProjectionType)
}

// The attributes of an item.
const (
	attrKey     = "key"
	attrKind    = "kind" // the key up to its first "#"
	attrRev     = "rev"
	attrWriter  = "writer"
	attrBody    = "body" // as it is,
	attrGzip    = "gzip" // or compressed
	attrExpires = "expires"
	attrActs    = "acts" // RecordsActs, or absent
	// attrTTL is attrExpires in whole seconds since 1970, as DynamoDB wants it,
	// rounded up so that nothing is deleted before its time.
	attrTTL = "ttl"

	attrDue       = "due" // dueItems, or absent
	attrDueAt     = "due_at"
	attrRequester = "requester"
	attrFlow      = "flow"
	attrStatus    = "status"
	attrCreatedAt = "created_at"
)

// AttrActs is the attribute of an item, as the stream shows it, whose write recorded
// administrative acts; it is RecordsActs then.
const (
	AttrActs    = attrActs
	RecordsActs = "recorded"
)

// dueItems is the partition that holds all due items; see the package comment.
const dueItems = "due"

// Schema describes the table. Its indexes are named like the listings that
// they are for.
func Schema() Table {
	t := Table{Key: attrKey, TTL: attrTTL, Stream: "NEW_AND_OLD_IMAGES"}
	for _, i := range []struct {
		by              store.By
		partition, sort string
	}{
		{store.ByDue, attrDue, attrDueAt},
		{store.ByRequester, attrRequester, attrCreatedAt},
		{store.ByFlow, attrFlow, attrCreatedAt},
		{store.ByStatus, attrStatus, attrCreatedAt},
		{store.ByKind, attrKind, attrKey},
	} {
		t.Indexes = append(t.Indexes, Index{Name: string(i.by), Partition: i.partition, Sort: i.sort, Projection: "KEYS_ONLY"})
	}
	return t
}

// index gives the index of a listing.
func index(by store.By) Index {
	for _, i := range Schema().Indexes {
		if i.Name == string(by) {
			return i
		}
	}
	panic("dynamo: no index by " + by) // Query.Check lets no other pass
}

// kindOf gives the partition of a key in the index by kind: the key up to its first
// "#", so "run#" of "run#1", or "" if it has no "#" or is not listed.
func kindOf(key string) string {
	if !store.ListedByKind(key) {
		return ""
	}
	return key[:strings.IndexByte(key, '#')+1]
}
