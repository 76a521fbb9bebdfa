package build

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// RunPerBase builds one bundle for each of the bases, with all that this base has and the others may lack, under names that
// Output and the base's version make: store-2.4.0.tar becomes store-2.4.0.from-2.3.0.tar. All have one sequence.
func RunPerBase(ctx context.Context, cfg Config) ([]*Result, error) {
	list, sequence, err := knownBases(ctx, cfg)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	var results []*Result
	for _, k := range list {
		one := cfg
		one.Bases, one.Output, one.atLeast = []string{k.given}, perBase(cfg.Output, k.desc.Version), sequence
		res, err := Run(ctx, one)
		if err != nil {
			return nil, fmt.Errorf("on the base %s: %w", k.desc.Version, err)
		}
		results = append(results, res)
	}
	return results, nil
}

// knownBases reads the fronts of the bases, and what comes after the highest of their sequences.
func knownBases(ctx context.Context, cfg Config) (list []*known, sequence uint64, err error) {
	if len(cfg.Bases) == 0 {
		return nil, 0, &Error{reason: "usage", text: "a bundle per base needs a base", hint: "name the bases: --base store-platform-2.3.0.tar"}
	}
	b := &builder{Config: cfg, spec: cfg.Spec}
	if err := b.prepare(); err != nil {
		return nil, 0, err
	}
	err = b.openBases(ctx)
	defer func() { err = errors.Join(err, b.bases.close()) }()
	if err != nil {
		return nil, 0, err
	}
	seen := make(map[string]*known)
	for _, k := range b.bases.list {
		if other := seen[k.desc.Version]; other != nil {
			return nil, 0, &Error{reason: "usage", text: fmt.Sprintf("the bases %s and %s are both version %s", other.ref, k.ref, k.desc.Version),
				hint: "build for one of them at a time"}
		}
		seen[k.desc.Version] = k
	}
	sequence, err = b.sequence()
	return b.bases.list, sequence, err
}

// perBase is the name of the bundle for a base.
func perBase(output, version string) string {
	name, tar := strings.CutSuffix(output, ".tar")
	name += ".from-" + version
	if tar {
		name += ".tar"
	}
	return name
}
