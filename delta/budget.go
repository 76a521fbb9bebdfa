package delta

import (
	"cmp"
	"slices"

	"github.com/sallyport-dev/sallyport/delta/mix"
)

// budget says how many bytes of a patch are mixed (package mix). A site takes a third of a microsecond for
// each, which is dozens of times what other codecs take.
type budget struct {
	literals int64 // bytes of literals
	all      bool  // or none of them, if they are more
	few      int64 // bytes of either kind of literals of which all are mixed
	streams  int64 // bytes of other streams
	steps    int   // of programs, and changes in their copies
	gain     int64 // the least part of a stream that mixing has to save: one byte of so many
}

// What a patch may mix at default effort, in proportion to the plain bytes that it makes, as reading
// and hashing those is what it takes anyway; and what any patch may.
const (
	plainPerMixed = 256
	plainPerStep  = 512
	leastMixed    = 64 << 10
	leastSteps    = 32 << 10
)

// shortLiteral is how many bytes a literal has at most that is mixed where those of its kind are many: another codec
// does nearly as well with a long one, which foretells itself.
const shortLiteral = 64

// budget returns what an effort may mix to make plain bytes. Where literals are many, one foretells the
// next whatever the codec, and what stands around them gains less: then none are. A step takes a
// microsecond or two.
func (o Options) budget(plain int64) budget {
	switch o.Effort {
	case EffortFast:
		return budget{steps: 64 << 10}
	case EffortBest:
		return budget{literals: mix.MaxLiterals, few: mix.MaxLiterals, streams: mix.MaxSize, steps: maxSteps, gain: mix.MaxSize}
	}
	bytes := min(max(plain/plainPerMixed, leastMixed), mix.MaxLiterals)
	steps := min(max(plain/plainPerStep, leastSteps), maxSteps)
	return budget{literals: bytes, all: true, few: leastMixed, streams: bytes, steps: int(steps), gain: 32}
}

// mixed returns how many of the literals in pieces are mixed, and which. Of many texts none are: there other codecs
// find nearly as much.
func (b budget) mixed(pieces []piece) (int64, literalLimits) {
	if b.all && allMixed.mixable(pieces, mix.MaxLiterals) > b.literals {
		return 0, literalLimits{}
	}
	limits := allMixed
	if (literalLimits{text: maxSize}).mixable(pieces, mix.MaxLiterals) > b.few {
		limits.text = 0
	}
	if (literalLimits{binary: maxSize}).mixable(pieces, mix.MaxLiterals) > b.few {
		limits.binary = shortLiteral
	}
	return limits.mixable(pieces, b.literals), limits
}

// mixes tells whether a stream is mixed, which takes coded bytes otherwise and mixed ones then, and
// takes it out of the budget.
func (b *budget) mixes(plain, coded, mixed int64) bool {
	if mixed >= coded || plain > b.streams || (coded-mixed)*b.gain < plain {
		return false
	}
	b.streams -= plain
	return true
}

// programs decides which programs' steps are plain: those that come last by size beyond the budget.
func (b budget) programs(pieces []piece) {
	list := programsOf(pieces, nil)
	slices.SortStableFunc(list, func(x, y *programPiece) int { return cmp.Compare(x.decisions(), y.decisions()) })
	for _, p := range list {
		b.steps -= p.decisions()
		p.plain = b.steps < 0
	}
}

// decisions counts what is coded of a program.
func (pp *programPiece) decisions() int { return len(pp.steps) + len(pp.changed) }

func programsOf(pieces []piece, list []*programPiece) []*programPiece {
	for _, p := range pieces {
		if p.program != nil {
			list = append(list, p.program)
		}
		if p.nested != nil {
			list = programsOf(p.nested.pieces, list)
		}
	}
	return list
}
