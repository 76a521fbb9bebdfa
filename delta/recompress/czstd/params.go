package czstd

import "math/bits"

// Version is a generation of libzstd by the first version that writes its output.
type Version int

// The generations.
const (
	V145 Version = iota // 1.4.5
	V148                // 1.4.8; 1.5.0 differs from it next to never
	V152                // 1.5.2
	V154                // 1.5.4 to 1.5.6
	V157                // 1.5.7
)

// strategy is a kind of search: ZSTD_strategy.
type strategy int

const (
	fast  strategy = 1
	dfast strategy = 2
)

// params are ZSTD_compressionParameters.
type params struct {
	windowLog, chainLog, hashLog, minMatch uint
	strategy                               strategy
}

// maxLevel is the highest level that is here.
const maxLevel = 4

// defaultParams is ZSTD_defaultCParameters, for sizes above 256 KiB, up to that, 128 KiB and 16 KiB.
var defaultParams = [4][maxLevel + 1]params{
	{1: {19, 13, 14, 7, fast}, 2: {20, 15, 16, 6, fast}, 3: {21, 16, 17, 5, dfast}, 4: {21, 18, 18, 5, dfast}},
	{1: {18, 13, 14, 6, fast}, 2: {18, 14, 14, 5, dfast}, 3: {18, 16, 16, 4, dfast}},
	{1: {17, 12, 13, 6, fast}, 2: {17, 13, 15, 5, fast}, 3: {17, 15, 16, 5, dfast}, 4: {17, 17, 17, 4, dfast}},
	{1: {14, 14, 15, 5, fast}, 2: {14, 14, 15, 4, fast}, 3: {14, 14, 15, 4, dfast}},
}

// Limits of windows: ZSTD_WINDOWLOG_ABSOLUTEMIN and ZSTD_HASHLOG_MIN.
const (
	minWindowLog = 10
	minHashLog   = 6
)

// parameters returns the parameters of a level for a source of size bytes, which is negative if it is not
// known: ZSTD_getCParams_internal and ZSTD_adjustCParams_internal. They are zero if the level is not here.
func parameters(level int, size int64) params {
	table := 0
	if size >= 0 {
		for _, limit := range []int64{256 << 10, 128 << 10, 16 << 10} {
			if size <= limit {
				table++
			}
		}
	}
	if level < 1 || level > maxLevel {
		return params{}
	}
	p := defaultParams[table][level]
	if size < 0 || p.strategy == 0 {
		return p
	}
	if size <= 1<<30 {
		sourceLog := uint(minHashLog)
		if size >= 1<<minHashLog {
			sourceLog = uint(bits.Len64(uint64(size - 1)))
		}
		p.windowLog = min(p.windowLog, sourceLog)
	}
	p.hashLog = min(p.hashLog, p.windowLog+1)
	p.chainLog = min(p.chainLog, p.windowLog)
	p.windowLog = max(p.windowLog, minWindowLog)
	return p
}
