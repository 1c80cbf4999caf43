package aggregator

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// MaxStateBytes is how large a window's state may become before it is written
// out as a part of the window. Lambda ends a window whose state exceeds 1 MB, and
// does not say whether that is 1,000,000 bytes or 2 to the 20th
// (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html).
const MaxStateBytes = 900_000

// What a state is at most, in bytes of JSON.
const (
	headBytes  = 1_024 // all that is not a group
	groupBytes = 96    // a group without its key and values: two counts of up to 19 digits
	valueBytes = 256   // a value: a count, and three numbers of which the sum has up to 70 digits
)

// state is what Lambda hands from one invocation of a window to the next.
type state struct {
	// Declaration is what the groups were made by.
	Declaration string `json:"declaration,omitempty"`
	// First and Through are the first and the last event of the open part.
	First *place `json:"first,omitempty"`
	// Through stays when a part is written: what is not after it was taken in already.
	Through  *place            `json:"through,omitempty"`
	Groups   map[string]*group `json:"groups,omitempty"`
	Unusable map[string]int64  `json:"unusable,omitempty"`
	// Names are those of each group's values, in their order.
	Names []string `json:"names,omitempty"`
}

// group is what is known of the events of one key.
type group struct {
	Events int64    `json:"n"`
	Late   int64    `json:"l,omitempty"`
	Values []*value `json:"v,omitempty"`
}

// value is what is known of one number of these events, in units of the last digit.
type value struct {
	N   int64    `json:"n"`
	Sum *big.Int `json:"s,omitempty"` // nil, as the other two, while N is 0
	Min *big.Int `json:"a,omitempty"`
	Max *big.Int `json:"b,omitempty"`
}

func (v *value) add(n *big.Int) {
	v.N++
	if v.N == 1 {
		v.Sum, v.Min, v.Max = n, n, n
		return
	}
	v.Sum = new(big.Int).Add(v.Sum, n)
	if n.Cmp(v.Min) < 0 {
		v.Min = n
	}
	if n.Cmp(v.Max) > 0 {
		v.Max = n
	}
}

// size is what key and its group take of a state at most, whatever is added to
// them. It does not depend on how the events came in batches.
func size(key string, values int) int {
	quoted, err := json.Marshal(key)
	if err != nil {
		panic(err) // no string fails to marshal
	}
	return len(quoted) + groupBytes + values*valueBytes
}

// place is where an event stands in its shard: the record's sequence number, and
// which of the events it is that the record carries.
type place struct {
	Sequence string
	Sub      int
}

// after compares sequence numbers as the whole numbers that they are.
func (p place) after(q place) bool {
	switch {
	case len(p.Sequence) != len(q.Sequence):
		return len(p.Sequence) > len(q.Sequence)
	case p.Sequence != q.Sequence:
		return p.Sequence > q.Sequence
	}
	return p.Sub > q.Sub
}

// String is the sequence number, and /sub where that is above 0.
func (p place) String() string {
	if p.Sub == 0 {
		return p.Sequence
	}
	return p.Sequence + "/" + strconv.Itoa(p.Sub)
}

// MarshalText implements [encoding.TextMarshaler].
func (p place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *place) UnmarshalText(text []byte) error {
	sequence, sub, has := strings.Cut(string(text), "/")
	p.Sequence, p.Sub = sequence, 0
	if !has {
		return nil
	}
	n, err := strconv.Atoi(sub)
	if err != nil {
		return fmt.Errorf("reading the place %q: %w", text, err)
	}
	p.Sub = n
	return nil
}
