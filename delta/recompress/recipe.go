package recompress

// Recipe says how plain bytes become a blob again.
type Recipe struct {
	parts     []part
	encoders  []encoder
	verbatims [][]byte
	known     map[string]int // where the tables hold what; nil in a recipe that was read
}

// part makes a stretch of the blob out of the next plain bytes.
type part struct {
	plainSize int64
	index     int32 // of its encoder or of its verbatim bytes
	kind      kind
}

// recipeVersion is the first byte of a marshalled recipe.
const recipeVersion = 1

// MaxRecipe is the most bytes that a marshalled recipe has.
const MaxRecipe = 16 << 20

// maxPlain bounds what a recipe may take: 1 TiB.
const maxPlain = 1 << 40

// PlainSize returns how many plain bytes the recipe takes.
func (r *Recipe) PlainSize() int64 {
	var n int64
	for _, p := range r.parts {
		n += p.plainSize
	}
	return n
}

// Parts returns how many parts the recipe has, some of which may make nothing.
func (r *Recipe) Parts() int { return len(r.parts) }

// String names the recipe's encoder for people, such as "go gzip -6".
func (r *Recipe) String() string {
	for _, p := range r.parts {
		if p.kind == kindDeflate || p.kind == kindZstd {
			return r.encoders[p.index].String()
		}
	}
	return "plain"
}

// verbatim adds bytes of the blob that stand for no plain bytes.
func (r *Recipe) verbatim(b []byte) {
	i := r.index("v"+string(b), len(r.verbatims))
	if i == len(r.verbatims) {
		r.verbatims = append(r.verbatims, b)
	}
	r.parts = append(r.parts, part{kind: kindVerbatim, index: int32(i)})
}

// encoded adds that e makes the next plain bytes to a part of kind k.
func (r *Recipe) encoded(k kind, plainSize int64, e encoder) {
	i := len(r.encoders)
	if e.family != familyTokens {
		i = r.index("e"+string(e.marshal()), i)
	}
	if i == len(r.encoders) {
		r.encoders = append(r.encoders, e)
	}
	r.parts = append(r.parts, part{kind: k, plainSize: plainSize, index: int32(i)})
}

// Stored adds to the recipe that the next size plain bytes stay as they are.
func (r *Recipe) Stored(size int64) {
	if size > 0 {
		r.parts = append(r.parts, part{kind: kindStored, plainSize: size})
	}
}

// index returns where a table that has size entries holds what has this name: at its end if it is new.
func (r *Recipe) index(name string, size int) int {
	if i, ok := r.known[name]; ok {
		return i
	}
	if r.known == nil {
		r.known = map[string]int{}
	}
	r.known[name] = size
	return size
}
