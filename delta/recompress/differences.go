package recompress

import (
	"bufio"
	"errors"
	"io"

	"github.com/sallyport-dev/sallyport/delta/recompress/tokens"
)

// What differences may cost: in all of a recipe, since a site holds them in memory; and of a stream,
// since a recipe that costs more hardly gains anything over sending the stream.
const (
	maxDifferences = 8 << 20
	costlyShare    = 12 // the divisor of a stream's size
	sampled        = 256 << 10
)

// byTokens makes segment i by its differences from the model that fits its beginning best.
func (f *finder) byTokens(i int, offset int64) error {
	g := f.segments[i]
	limit := min(int(g.size/costlyShare), maxDifferences-f.differences)
	model, err := f.nearest(g, offset)
	if err != nil {
		return err
	}
	d, err := f.encode(g, offset, model, limit, g.plainSize+1)
	if err != nil {
		return noRecipe(err)
	}
	ok, err := f.made(i, offset, encoder{family: familyTokens, level: int8(model), differences: d.bytes})
	if err == nil && !ok {
		return ErrNoRecipe
	}
	f.differences += len(d.bytes)
	return err
}

// difference is what tokens.Encode returns.
type difference struct {
	bytes []byte
	read  int64
}

func (f *finder) encode(g segment, offset int64, model, limit int, stop int64) (difference, error) {
	if err := f.ctx.Err(); err != nil {
		return difference{}, err
	}
	packed := bufio.NewReaderSize(io.NewSectionReader(f.blob, g.offset, g.size), 64<<10)
	plain := io.NewSectionReader(f.plain, offset, g.plainSize)
	b, n, err := tokens.Encode(packed, plain, g.plainSize, model, limit, stop)
	return difference{b, n}, err
}

// nearest returns the model that costs least at the beginning of g.
func (f *finder) nearest(g segment, offset int64) (int, error) {
	best, least := -1, 0.0
	for model := range tokens.Models() {
		d, err := f.encode(g, offset, model, int(min(g.size, maxDifferences)), sampled)
		if errors.Is(err, tokens.ErrCostly) {
			continue
		}
		if err != nil {
			return 0, noRecipe(err)
		}
		if cost := float64(len(d.bytes)) / float64(d.read+1); best < 0 || cost < least {
			best, least = model, cost
		}
	}
	if best < 0 || least > 1.5/costlyShare && g.plainSize > sampled {
		return 0, ErrNoRecipe
	}
	return best, nil
}

// noRecipe says that there is no recipe, unless the blob or the caller is at fault.
func noRecipe(err error) error {
	if errors.Is(err, tokens.ErrCostly) || errors.Is(err, tokens.ErrForm) {
		return ErrNoRecipe
	}
	return err
}
