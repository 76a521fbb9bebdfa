// Package correct codes how a program is cut into copies of an old one and what of those is to change,
// with the old program at hand: where it has instructions, where its jumps lead, and what projection made
// of its bytes. Every decision is coded by package mix with such knowledge as its contexts.
package correct

import (
	"errors"

	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// ErrInvalid says that what is decoded means nothing.
var ErrInvalid = errors.New("program's steps are invalid")

// Codec codes the steps and changes of one program after another. The same calls in the same order encode
// and decode, as with mix.Coder.
type Codec struct {
	d        *mix.Decider
	encoding bool
	err      error
	steps    steps
	changes  changes
}

// A codec has that many places for what came of decisions: for a step, and at least.
const (
	placesOf    = 8
	leastPlaces = 1 << 17
)

// New returns a codec of as many steps as all programs have together.
func New(c *mix.Coder, steps int64, encoding bool) *Codec {
	x := &Codec{d: mix.NewDecider(c, placesOf*steps+leastPlaces), encoding: encoding}
	x.changes.addresses = make([]address, 1<<addressBits)
	x.changes.last = make([]uint16, 1<<lastBits)
	return x
}

// Err returns the first error of what is decoded.
func (x *Codec) Err() error {
	if x.err != nil {
		return x.err
	}
	return x.d.Err()
}

// Begin begins a program of a number of steps. p needs not be prepared.
func (x *Codec) Begin(p *program.Program, count int) (err error) {
	x.steps = steps{}
	if x.steps.code, err = boundaries(p, count); err != nil {
		return err
	}
	x.changes.begin(p)
	return nil
}

// worth is how many bytes of code are looked through for a step.
const worth = 1024

// boundaries looks for the boundaries of a program's code if its steps are many enough.
func boundaries(p *program.Program, count int) (*program.Boundaries, error) {
	size := int64(0)
	for _, r := range p.Regions {
		if r.Kind == program.CodeAMD64 || r.Kind == program.CodeFixed {
			size = max(size, r.Size)
		}
	}
	if int64(count) < size/worth {
		return &program.Boundaries{}, nil
	}
	return p.Boundaries()
}

// Functions that make a context of several numbers. The decider hashes it.

func of2(a, b uint32) uint32 { return a*0x2f0b4c47 + b*0xc2b2ae35 }

func of3(a, b, c uint32) uint32 { return of2(a, b) + c*0x27d4eb2f }

func of4(a, b, c, d uint32) uint32 { return of3(a, b, c) + d*0x165667b1 }

func of5(a, b, c, d, e uint32) uint32 { return of4(a, b, c, d) + e*0x9e3779b1 }

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
