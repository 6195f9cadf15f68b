package local

import (
	"container/heap"
	"time"
)

// timers are jobs to be run at a time, one for each key.
type timers struct {
	byKey map[string]*timer
	queue queue
}

type timer struct {
	key   string
	at    time.Time
	do    job
	place int // in the queue
}

// set adds a timer, in place of the one of the same key.
func (t *timers) set(key string, at time.Time, do job) {
	t.cancel(key)
	if t.byKey == nil {
		t.byKey = map[string]*timer{}
	}
	t.byKey[key] = &timer{key: key, at: at, do: do}
	heap.Push(&t.queue, t.byKey[key])
}

func (t *timers) cancel(key string) {
	if known, ok := t.byKey[key]; ok {
		heap.Remove(&t.queue, known.place)
		delete(t.byKey, key)
	}
}

// over takes the jobs whose time has come, the earliest first.
func (t *timers) over(now time.Time) (over []job) {
	for len(t.queue) > 0 && !t.queue[0].at.After(now) {
		first := t.queue[0]
		over = append(over, first.do)
		t.cancel(first.key)
	}
	return over
}

// next gives the time of the earliest timer, or zero if there is none.
func (t *timers) next() time.Time {
	if len(t.queue) == 0 {
		return time.Time{}
	}
	return t.queue[0].at
}

// queue implements heap.Interface: the earliest timer is the first.
type queue []*timer

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	added := x.(*timer)
	added.place = len(*q)
	*q = append(*q, added)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	removed := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return removed
}
