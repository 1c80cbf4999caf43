package prices

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryPriceSaysWhereAndWhenItWasReadAndWhatItCounts(t *testing.T) {
	for _, p := range Listed().All() {
		assert.NotEmpty(t, p.Region, p.Name)
		assert.NotEmpty(t, p.Unit, p.Name)
		assert.NotEmpty(t, p.Source, p.Name)
		assert.Regexp(t, `^https://aws\.amazon\.com/[\w/.#-]+$`, p.Page, p.Name)
		assert.Regexp(t, `^20\d\d-\d\d-\d\d$`, p.Read, p.Name)
		assert.Contains(t, []string{Own, PriceList, ThirdParty, NotConfirmed}, p.Seen, p.Name)
	}
}

func TestAMonthsUnitsArePaidTierByTier(t *testing.T) {
	p := Price{Tiers: []Tier{{First: 333, USD: 3.5}, {First: 667, USD: 2.8}, {USD: 2}}}
	for units, want := range map[float64]float64{0: 0, 1: 3.5, 333: 1165.5, 334: 1168.3, 1000: 3033.1, 1010: 3053.1} {
		assert.InDelta(t, want, p.USD(units), 1e-9, "%g units", units)
	}
}

func TestPricesOfTheUsersTakeThePlaceOfOursAndMayBeNew(t *testing.T) {
	table, err := Listed().With([]byte(`[{"name": "kms.key", "tiers": [{"usd": 0.5}]}, {"name": "rds.db.x", "tiers": [{"usd": 9}], "unit": "hours"}]`))
	require.NoError(t, err)
	key, err := table.Of("kms.key")
	require.NoError(t, err)
	assert.Equal(t, Price{Name: "kms.key", Unit: "keys, a month", Tiers: []Tier{{USD: 0.5}}, Seen: Given}, key)
	assert.InDelta(t, 9, table.First("rds.db.x"), 0)
	assert.Panics(t, func() { table.First("rds.db.y") })
	assert.Len(t, table.All(), len(Listed().All())+1)
	ours, err := Listed().Of("kms.key")
	require.NoError(t, err)
	assert.NotEqual(t, key, ours, "the listed table is changed")
}

func TestWrongPricesAreRefused(t *testing.T) {
	for text, says := range map[string]string{
		`{`:                 "reading prices",
		`[{"nane": "x"}]`:   "unknown field",
		`[{"name": "x"}]`:   "price x must have tiers",
		`[{"tiers": [{}]}]`: "a price must have a name",
		`[{"name": "x", "tiers": [{"usd": -1}]}]`:                                      "0 dollars or more",
		`[{"name": "x", "tiers": [{"usd": 1}, {"usd": 2}]}]`:                           "each but the last with its first units",
		`[{"name": "x", "tiers": [{"usd": 1, "first": 2}]}]`:                           "each but the last with its first units",
		`[{"name": "x", "tiers": [{"usd": 1}]}, {"name": "x", "tiers": [{"usd": 1}]}]`: "price x must be there once",
	} {
		_, err := Listed().With([]byte(text))
		assert.ErrorContains(t, err, says, text)
	}
	_, err := Listed().Of("nothing")
	assert.ErrorContains(t, err, "there is no price nothing")
}
