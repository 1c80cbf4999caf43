package aggregator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/millrace-cdk/millrace/spec"
)

// Row is one result as it is written: an event like any other.
type Row struct {
	ID   string
	JSON []byte
}

// result is a row's JSON.
type result struct {
	EventID    string    `json:"event_id"`
	EventType  string    `json:"event_type"`
	OccurredAt time.Time `json:"occurred_at"` // the window's end
	Start      time.Time `json:"window_start"`
	End        time.Time `json:"window_end"`
	Stream     string    `json:"stream"`
	Shard      string    `json:"shard"`
	First      *place    `json:"first"`
	Through    *place    `json:"through"`

	Key    *string            `json:"key,omitempty"`    // not of the unusable
	Reason string             `json:"reason,omitempty"` // of the unusable
	Events int64              `json:"events"`
	Late   *int64             `json:"late,omitempty"`
	Values map[string]summary `json:"values,omitempty"`
}

// summary is a value of a row. Without an event that had a number there is no more than N.
type summary struct {
	N   int64        `json:"n"`
	Sum *json.Number `json:"sum,omitempty"`
	Min *json.Number `json:"min,omitempty"`
	Max *json.Number `json:"max,omitempty"`
}

// rowsOf returns the rows of a part, in the order of their keys.
func rowsOf(w Window, declared spec.Windows, s state) ([]Row, error) {
	common := result{
		EventType: declared.EventType, OccurredAt: w.End.UTC(), Start: w.Start.UTC(), End: w.End.UTC(),
		Stream: w.Stream, Shard: w.Shard, First: s.First, Through: s.Through,
	}
	var rows []Row
	add := func(r result, what string) error {
		r.EventID = identity(w, s, what)
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encoding a result: %w", err)
		}
		rows = append(rows, Row{ID: r.EventID, JSON: text})
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(s.Groups)) {
		g, r := s.Groups[key], common
		r.Key, r.Events, r.Late, r.Values = &key, g.Events, &g.Late, map[string]summary{}
		for i, v := range g.Values {
			r.Values[s.Names[i]] = v.summary()
		}
		if err := add(r, "key:"+key); err != nil {
			return nil, err
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Unusable)) {
		r := common
		r.EventType, r.Reason, r.Events = declared.UnusableType(), reason, s.Unusable[reason]
		if err := add(r, "unusable:"+reason); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (v *value) summary() summary {
	if v.N == 0 {
		return summary{}
	}
	sum, least, most := json.Number(formatNumber(v.Sum)), json.Number(formatNumber(v.Min)), json.Number(formatNumber(v.Max))
	return summary{N: v.N, Sum: &sum, Min: &least, Max: &most}
}

// identity follows from what a row is of, and from which events are in it.
func identity(w Window, s state, what string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		s.Declaration, w.Stream, w.Shard, w.Start.UTC().Format(time.RFC3339), w.End.UTC().Format(time.RFC3339), s.First.String(), s.Through.String(), what,
	}, "\n")))
	return "window:" + hex.EncodeToString(sum[:])
}
