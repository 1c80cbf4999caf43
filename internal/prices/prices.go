// Package prices is the one table of what AWS charges that this repository computes with: the
// costs of `millrace cost`, of docs/choosing.md and of the dashboard. It holds list prices as read on the day that each row states,
// which anybody may put their own in the place of.
package prices

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// What was seen of a price before it came into the table; AWS's own pages of prices were out of reach.
const (
	// Own is a text of AWS's.
	Own = "AWS's own text"
	// PriceList is AWS's price list, as somebody else's repository keeps parts of it.
	PriceList = "price list"
	// ThirdParty is a text of somebody else's.
	ThirdParty = "third party"
	// NotConfirmed is nothing.
	NotConfirmed = "not confirmed"
	// Given is a price of the user's.
	Given = "given"
)

// Tier is a part of a month's units with a price of its own.
type Tier struct {
	// First is how many units it has. Default: all that are left.
	First float64 `json:"first,omitempty"`
	// USD is what each costs, in US dollars.
	USD float64 `json:"usd"`
}

// Price is what AWS charges for a unit.
type Price struct {
	// Name is how a computation asks for it.
	Name string `json:"name"`
	// Region is where it holds, "all" if everywhere.
	Region string `json:"region"`
	// Unit is what is counted.
	Unit string `json:"unit"`
	// Tiers are the prices of a month, the last of all that is left.
	Tiers []Tier `json:"tiers"`
	// Page is AWS's page of the price.
	Page string `json:"page"`
	// Seen is one of the constants above, Source where, and Read when: 2026-11-23.
	Seen   string `json:"seen"`
	Source string `json:"source"`
	Read   string `json:"read"`
}

// USD is what a month's units cost.
func (p Price) USD(units float64) float64 {
	var usd float64
	for _, tier := range p.Tiers {
		here := units
		if tier.First > 0 {
			here = min(units, tier.First)
		}
		usd += here * tier.USD
		units -= here
	}
	return usd
}

func (p Price) validate() error {
	if p.Name == "" {
		return errors.New("a price must have a name")
	}
	if len(p.Tiers) == 0 {
		return fmt.Errorf("price %s must have tiers", p.Name)
	}
	for i, tier := range p.Tiers {
		if last := i == len(p.Tiers)-1; tier.USD < 0 || tier.First < 0 || last != (tier.First == 0) {
			return fmt.Errorf("price %s must have tiers of 0 dollars or more, each but the last with its first units, got %+v", p.Name, p.Tiers)
		}
	}
	return nil
}

// Table is prices by their names.
type Table struct{ prices []Price }

//go:embed prices.json
var listed []byte

// Listed is the repository's own table.
func Listed() Table {
	table, err := parse(listed)
	if err != nil {
		panic(err) // a test reads it
	}
	return table
}

func parse(text []byte) (Table, error) {
	var t Table
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t.prices); err != nil {
		return Table{}, fmt.Errorf("reading prices: %w", err)
	}
	var errs []error
	seen := map[string]bool{}
	for _, p := range t.prices {
		errs = append(errs, p.validate())
		if seen[p.Name] {
			errs = append(errs, fmt.Errorf("price %s must be there once", p.Name))
		}
		seen[p.Name] = true
	}
	return t, errors.Join(errs...)
}

// With is t with the user's prices in place of its own, and those it does not have besides. The text is JSON of
// the table's shape, a list of [Price], of which name and tiers are enough.
func (t Table) With(text []byte) (Table, error) {
	theirs, err := parse(text)
	if err != nil {
		return Table{}, err
	}
	merged := Table{slices.Clone(t.prices)}
	for _, p := range theirs.prices {
		p.Seen = Given
		i := slices.IndexFunc(merged.prices, func(ours Price) bool { return ours.Name == p.Name })
		if i < 0 {
			merged.prices = append(merged.prices, p)
			continue
		}
		if p.Unit == "" {
			p.Unit = merged.prices[i].Unit
		}
		merged.prices[i] = p
	}
	return merged, nil
}

// Of is the price of that name.
func (t Table) Of(name string) (Price, error) {
	for _, p := range t.prices {
		if p.Name == name {
			return p, nil
		}
	}
	return Price{}, fmt.Errorf("there is no price %s: add it to internal/prices/prices.json, or give one by --prices", name)
}

// First is what the first unit of a price costs, for names that stand in code: it panics where there is none.
func (t Table) First(name string) float64 {
	p, err := t.Of(name)
	if err != nil {
		panic(err)
	}
	return p.Tiers[0].USD
}

// All are the prices in the table's order.
func (t Table) All() []Price { return slices.Clone(t.prices) }
