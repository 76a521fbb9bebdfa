package main

import "fmt"

// target is how small the patches of a pair have to be.
type target struct {
	bytes int64   // at most; 0: none
	part  float64 // of bsdiff's; 0: none
	peers bool    // below every peer's
	sum   []string
}

// targets are the limits that the engine is held to on the pairs of the corpus.
var targets = map[string]target{
	"caddy":            {bytes: 85_000, part: 1 / 10.},
	"containerd-arm64": {bytes: 110_000, part: 1 / 10.},
	"coredns":          {bytes: 950_000, part: 1 / 4.5},
	"debian-base":      {bytes: 420_000, part: 1 / 4.},
	"debian-server":    {bytes: 1_450_000, part: 1 / 3.},
	"node-app":         {bytes: 6_500_000, peers: true},
	"config-only":      {bytes: 1_000},
	"mtime-only":       {bytes: 4_000},
	"release-set":      {sum: []string{"caddy", "node-app"}},
}

const (
	minApplySpeed   = 0.5      // of sha256sum's over the new bytes, without recompression
	maxRecompress   = 1.1      // of the processor time of gzip -6 over the plain layer
	maxApplyRSS     = 96 << 20 // bytes; of the whole site program, the embedded mirror included, and of the engine by itself
	maxFastTime     = 0.25     // of the processor time that default effort may take
	maxFastSize     = 2.0      // of the bytes at default effort
	maxGrowth       = 1.3      // processor time of a whole by that of its parts
	maxSumOverParts = 1.01     // a set of images by its parts, whose compressors differ
)

// maxBuild is how many processor seconds the largest layer of a pair may take at default effort.
var maxBuild = map[string]float64{"caddy": 30, "debian-server": 60}

// judge compares a pair's bytes with its limits, for the last columns of the table.
func (t target) judge(ours int64, peers map[string]outcome, all map[string]int64) string {
	text := ""
	say := func(what string, good bool) { text += fmt.Sprintf("  %s %s", what, verdict(good)) }
	if t.bytes > 0 {
		say(fmt.Sprintf("<= %d", t.bytes), ours <= t.bytes)
	}
	if b, ok := peers["bsdiff"]; ok && t.part > 0 {
		say(fmt.Sprintf("bsdiff/%.1f (>= %.1f)", float64(b.Bytes)/float64(ours), 1/t.part), float64(ours) <= t.part*float64(b.Bytes))
	}
	if t.peers {
		below := true
		for _, o := range peers {
			below = below && ours < o.Bytes
		}
		say("below every peer", below)
	}
	var sum int64
	for _, part := range t.sum {
		if all[part] == 0 {
			return text + "  (its parts were not measured)"
		}
		sum += all[part]
	}
	if sum > 0 {
		say(fmt.Sprintf("<= %.2f x %d of its parts", maxSumOverParts, sum), float64(ours) <= maxSumOverParts*float64(sum))
	}
	return text
}
