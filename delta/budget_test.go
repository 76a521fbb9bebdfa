package delta

import (
	"slices"
	"testing"
)

// literalsOf makes n literals of a kind.
func literalsOf(kind opKind, n int, length int64) []piece {
	return slices.Repeat([]piece{{length: length, from: -1, literal: kind}}, n)
}

// TestMixed mixes few literals all, of many bytes the short ones, and of too many none.
func TestMixed(t *testing.T) {
	const plain = 64 << 20 // of which 256 KiB may be mixed
	few := slices.Concat(literalsOf(opText, 40, 1000), literalsOf(opBinary, 40, 1000), literalsOf(opHeaders, 9, 512))
	many := slices.Concat(literalsOf(opText, 80, 1000), literalsOf(opBinary, 60, 1000), literalsOf(opBinary, 1000, shortLiteral))
	for name, x := range map[string]struct {
		pieces []piece
		effort Effort
		limits literalLimits
		size   int64
	}{
		"few":      {few, EffortDefault, allMixed, 80_000},
		"many":     {many, EffortDefault, literalLimits{binary: shortLiteral}, 64_000},
		"nested":   {[]piece{{nested: &nestedPiece{pieces: many}}}, EffortDefault, literalLimits{binary: shortLiteral}, 64_000},
		"too many": {slices.Concat(many, literalsOf(opText, 1, 1<<20)), EffortDefault, literalLimits{}, 0},
		"best":     {many, EffortBest, allMixed, 204_000},
		"fast":     {few, EffortFast, allMixed, 0},
	} {
		size, limits := Options{Effort: x.effort}.budget(plain).mixed(x.pieces)
		if size != x.size || size > 0 && limits != x.limits {
			t.Errorf("%s: %d bytes, %+v; want %d, %+v", name, size, limits, x.size, x.limits)
		}
	}
}
