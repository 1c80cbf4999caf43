// Package quakes turns the earthquake reports of vega-datasets (USGS, GeoJSON)
// into events: real data for the demo, used from node_modules and not stored here.
package quakes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Path is where the reports are, below the repository's root.
var Path = filepath.Join("node_modules", "vega-datasets", "data", "earthquakes.json")

// Event is one report as millrace takes it: the three members that it knows, and
// the feature as USGS wrote it, byte for byte.
type Event struct {
	ID         string          `json:"event_id"`
	Type       string          `json:"event_type"`
	OccurredAt json.Number     `json:"occurred_at"`
	Feature    json.RawMessage `json:"feature"`
}

// JSON returns the event as its client posts it.
func (e Event) JSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("encoding report %s: %w", e.ID, err)
	}
	return bytes.TrimSpace(text.Bytes()), nil
}

// Load reads every report below root.
func Load(root string) ([]Event, error) {
	text, err := os.ReadFile(filepath.Join(root, Path))
	if err != nil {
		return nil, fmt.Errorf("reading the earthquake reports (npm ci installs them): %w", err)
	}
	var collection struct {
		Features []json.RawMessage `json:"features"`
	}
	if err := json.Unmarshal(text, &collection); err != nil {
		return nil, fmt.Errorf("parsing %s: %w", Path, err)
	}
	events := make([]Event, 0, len(collection.Features))
	for i, feature := range collection.Features {
		var report struct {
			ID         string `json:"id"`
			Properties struct {
				Time json.Number `json:"time"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(feature, &report); err != nil {
			return nil, fmt.Errorf("parsing report %d of %s: %w", i, Path, err)
		}
		events = append(events, Event{ID: report.ID, Type: "earthquake", OccurredAt: report.Properties.Time, Feature: feature})
	}
	return events, nil
}
