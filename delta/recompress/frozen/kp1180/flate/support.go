// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.

package flate

const (
	maxNumLit  = 286
	maxNumDist = 30
)

// An InternalError reports an error in the encoder itself.
type InternalError string

func (e InternalError) Error() string { return "flate: internal error: " + string(e) }
