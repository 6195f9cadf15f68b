package dynamotest

import (
	"reflect"

	minidyn "github.com/truora/minidyn/server"

	"github.com/symflows/symflows/internal/store/dynamo"
)

// Meter counts requests that were served, and what they are billed as on
// demand.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
type Meter struct {
	Writes int // PutItem and DeleteItem, those whose condition failed included
	// WriteUnits are KB begun of what is written, or of what was stored if that
	// is more, in the table; and in each index that changes: a unit more where
	// an entry moves, for it is deleted and put.
	WriteUnits int
	Reads      int // GetItem, Query and BatchGetItem
	// ReadUnits are 4 KB begun of each item that is read, or of all entries
	// that a Query reads; half as much without ConsistentRead.
	ReadUnits float64
}

// Meter gives what was counted so far. Requests that faults refused are not.
func (s *Server) Meter() Meter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meter
}

// write counts a write; nil is no item. A condition that failed is billed like
// a write that changes nothing.
func (m *Meter) write(old, new item) {
	m.Writes++
	m.WriteUnits += units(max(size(old), size(new)), 1<<10)
	for _, index := range schema.Indexes {
		before, after := entry(index, old), entry(index, new)
		if reflect.DeepEqual(before, after) {
			continue
		}
		for _, e := range []item{before, after} {
			if e != nil {
				m.WriteUnits += units(size(e), 1<<10)
			}
		}
	}
}

// read counts a request that read items, or entries, of these sizes.
func (m *Meter) read(consistent bool, sizes ...int) {
	m.Reads++
	for _, n := range sizes {
		if consistent {
			m.ReadUnits += float64(units(n, 4<<10))
		} else {
			m.ReadUnits += float64(units(n, 4<<10)) / 2
		}
	}
}

// units are the units begun; one at least.
func units(bytes, unit int) int { return max(1, (bytes+unit-1)/unit) }

// entry is what an index that projects keys only has of an item; nil if nothing.
func entry(index dynamo.Index, i item) item {
	if i[index.Partition] == nil || i[index.Sort] == nil {
		return nil
	}
	return item{schema.Key: i[schema.Key], index.Partition: i[index.Partition], index.Sort: i[index.Sort]}
}

// size counts the bytes of an item. Those of a number are two digits each, and
// one more.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func size(i item) int {
	n := 0
	for name, value := range i {
		n += len(name) + valueSize(value)
	}
	return n
}

func valueSize(v *minidyn.AttributeValue) int {
	switch {
	case v.S != nil:
		return len(*v.S)
	case v.N != nil:
		return (len(*v.N)+1)/2 + 1
	case v.BOOL != nil || v.NULL != nil:
		return 1
	}
	return len(v.B)
}
