package fault

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestASeedDecidesTheOrderAndEveryOrderHasAllFaults(t *testing.T) {
	orders := map[Kind]bool{}
	for seed := range uint64(50) {
		shuffled := Shuffled(seed)
		assert.Equal(t, shuffled, Shuffled(seed))
		assert.ElementsMatch(t, []Kind{Database, Mapping, Transformer, Bucket, Key}, shuffled)
		orders[shuffled[0]] = true
	}
	assert.Len(t, orders, 5)
}
