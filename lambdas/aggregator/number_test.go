package aggregator

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNumbersAreReadAndWrittenExactly(t *testing.T) {
	for literal, want := range map[string]string{
		"0": "0", "-0": "0", "17": "17", "-2.50": "-2.5", "1e3": "1000", "1.5E-2": "0.015", "100": "100",
		"0.1": "0.1", "99999999999999999999": "99999999999999999999", "0.000000000000000000000000000001": "0.000000000000000000000000000001",
	} {
		n, ok := parseNumber([]byte(literal))
		assert.True(t, ok, literal)
		assert.Equal(t, want, formatNumber(n))
	}
}

func TestWhatIsTooLongOrTooLargeIsNoNumber(t *testing.T) {
	for _, literal := range []string{
		"", `"1"`, "true", "null", "{}", "[1]", "100000000000000000000", "1e999999999", "1e-999999999", "1e-31",
		"0.0000000000000000000000000000000000000000000000000000000000000000001",
	} {
		_, ok := parseNumber([]byte(literal))
		assert.False(t, ok, literal)
	}
}

// The bound of the state counts on it.
func TestAValueHasTheRoomThatIsCountedForIt(t *testing.T) {
	most := new(big.Int).Sub(limit, big.NewInt(1))
	v := value{N: 1<<63 - 1, Sum: new(big.Int).Mul(most, big.NewInt(-1<<63)), Min: new(big.Int).Neg(most), Max: most}
	text := encode(t, v)
	assert.LessOrEqual(t, len(text)+len(","), valueBytes)
	bare := encode(t, group{Events: 1<<63 - 1, Late: 1<<63 - 1, Values: []*value{}})
	assert.LessOrEqual(t, len(bare)+len(`:,"v":[]`), groupBytes)
}
