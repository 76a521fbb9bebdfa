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
	costlyShare    = 12        // the divisor of a stream's size
	sampled        = 256 << 10 // plain bytes by which a model is chosen
	tolerated      = 1.1       // by how much more a model may cost that restores faster
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

// nearest returns the model to take: of those that cost about the least at the beginning of g, the
// one that looks least far for matches.
func (f *finder) nearest(g segment, offset int64) (int, error) {
	costs := make([]float64, tokens.Models())
	least := 1.0
	for model := range costs {
		d, err := f.encode(g, offset, model, int(min(g.size, maxDifferences)), sampled)
		if err != nil && !errors.Is(err, tokens.ErrCostly) {
			return 0, noRecipe(err)
		}
		costs[model] = 1
		if err == nil {
			costs[model] = float64(len(d.bytes)) / float64(d.read+1)
		}
		least = min(least, costs[model])
	}
	if least > 1.5/costlyShare && g.plainSize > sampled {
		return 0, ErrNoRecipe
	}
	for _, model := range tokens.ByEffort() {
		if costs[model] <= least*tolerated {
			return model, nil
		}
	}
	return 0, ErrNoRecipe
}

// noRecipe says that there is no recipe, unless the blob or the caller is at fault.
func noRecipe(err error) error {
	if errors.Is(err, tokens.ErrCostly) || errors.Is(err, tokens.ErrForm) {
		return ErrNoRecipe
	}
	return err
}
