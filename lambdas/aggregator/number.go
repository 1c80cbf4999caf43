package aggregator

import (
	"bytes"
	"math/big"
	"strings"
)

// Numbers are decimals, added exactly: a sum of binary fractions would depend on
// the order of the shards. What has more digits is no number here.
const (
	integerDigits  = 20 // before the point
	fractionDigits = 30 // after it: every float64 above 1e-13 as its shortest text
	literalBytes   = 64 // of a number as it is written
)

// unit is 1 in units of the last digit, and limit what no number reaches.
var (
	unit  = new(big.Int).Exp(big.NewInt(10), big.NewInt(fractionDigits), nil)
	limit = new(big.Int).Exp(big.NewInt(10), big.NewInt(fractionDigits+integerDigits), nil)
)

// parseNumber reads a JSON number, in units of the last digit.
func parseNumber(literal []byte) (*big.Int, bool) {
	if len(literal) == 0 || len(literal) > literalBytes || literal[0] != '-' && (literal[0] < '0' || literal[0] > '9') {
		return nil, false
	}
	// A short text may be a large number: 1e999999999 would fill the memory.
	if _, exponent, has := bytes.Cut(bytes.ToLower(literal), []byte("e")); has {
		if digits := bytes.TrimLeft(exponent, "+-0"); len(digits) > 2 {
			return nil, false
		}
	}
	number, ok := new(big.Rat).SetString(string(literal))
	if !ok {
		return nil, false
	}
	number.Mul(number, new(big.Rat).SetInt(unit))
	if !number.IsInt() || number.Num().CmpAbs(limit) >= 0 {
		return nil, false
	}
	return number.Num(), true
}

// formatNumber writes what parseNumber reads, without zeros that say nothing.
func formatNumber(n *big.Int) string {
	text := new(big.Rat).SetFrac(n, unit).FloatString(fractionDigits)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
