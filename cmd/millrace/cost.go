package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/millrace-cdk/millrace/cmd/millrace/cost"
	"github.com/millrace-cdk/millrace/internal/prices"
)

// goldens is where the templates of every environment are in the repository.
const goldens = "test/snapshot/testdata"

type costCmd struct {
	Env       string `help:"The environment." default:"prod"`
	Events    rate   `help:"How many: 1000/s, or 5000000/month." required:""`
	Bytes     int    `help:"Of an event, as its client posts it." default:"1024"`
	Batch     int    `help:"How many events a request has." default:"1"`
	Prices    string `help:"A file of your prices, JSON of the shape of internal/prices/prices.json; name and tiers are enough." type:"existingfile"`
	Templates string `help:"The folder of the templates: cdk.out after 'make synth'. Default: the golden ones in the repository." type:"existingdir"`
	JSON      bool   `help:"Print the report as JSON, with every line." name:"json"`
}

// rate is a number of events in a second or a month.
type rate struct {
	events float64
	second bool
}

// UnmarshalText reads 1000/s or 5000000/month.
func (r *rate) UnmarshalText(text []byte) error {
	number, per, _ := strings.Cut(string(text), "/")
	events, err := strconv.ParseFloat(number, 64)
	if err != nil || (per != "s" && per != "month") {
		return fmt.Errorf("events must be like 1000/s or 5000000/month, got %q", text)
	}
	*r = rate{events, per == "s"}
	return nil
}

func (c *costCmd) load() cost.Load {
	if c.Events.second {
		return cost.PerSecond(c.Events.events, float64(c.Bytes), float64(c.Batch))
	}
	return cost.Load{Events: c.Events.events, Bytes: float64(c.Bytes), Batch: float64(c.Batch)}
}

// Validate is kong's: what it returns is a wrong usage.
func (c *costCmd) Validate() error { return c.load().Validate() }

// Run prints the estimate.
func (c *costCmd) Run(cli *CLI) error {
	folder := c.Templates
	if folder == "" {
		folder = filepath.Join(cli.Root, filepath.FromSlash(goldens))
	}
	line, err := cost.Read(folder, c.Env)
	if err != nil {
		return err
	}
	table := prices.Listed()
	if c.Prices != "" {
		text, err := os.ReadFile(c.Prices)
		if err != nil {
			return err
		}
		if table, err = table.With(text); err != nil {
			return fmt.Errorf("%s: %w", c.Prices, err)
		}
	}
	report, err := cost.Estimate(line, c.load(), table)
	if err != nil {
		return err
	}
	report.Environment = c.Env
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return report.Print(os.Stdout)
}
