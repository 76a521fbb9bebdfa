package apply

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sallyport-dev/sallyport/apply/receipt"
)

// maxTargets bounds where receipts are sent to.
const maxTargets = 8

// forwardTime bounds a pass over all targets.
const forwardTime = 2 * time.Minute

// ReceiptsConfig says where receipts go beside the sticks that bundles come from.
type ReceiptsConfig struct {
	// Forward are URLs: https://HOST/FOLDER takes a PUT for each receipt, with {file} where its name goes if that is not the end of
	// the path; oci://HOST/REPOSITORY is a registry's.
	Forward []string `json:"forward"`
	// CA is a PEM file of certificates to trust beside the system's.
	CA string `json:"ca"`
}

func (c *ReceiptsConfig) check(fail failFunc) {
	if c == nil {
		return
	}
	if len(c.Forward) > maxTargets {
		fail("spec.receipts.forward", fmt.Sprintf("names more than %d targets", maxTargets), "")
	}
	seen := map[string]bool{}
	for i, target := range c.Forward {
		field := fmt.Sprintf("spec.receipts.forward[%d]", i)
		if _, err := receipt.ParseTarget(target); err != nil {
			fail(field, err.Error(), "write https://HOST/FOLDER, or oci://HOST/REPOSITORY")
		}
		if seen[target] {
			fail(field, "stands twice", "remove it")
		}
		seen[target] = true
	}
}

func (c *ReceiptsConfig) resolve(base string) {
	if c != nil && c.CA != "" && !filepath.IsAbs(c.CA) {
		c.CA = filepath.Join(base, c.CA)
	}
}

// Forwards tells whether the site's receipts go anywhere over a link.
func (s *Site) Forwards() bool {
	return s.cfg.Spec.Receipts != nil && len(s.cfg.Spec.Receipts.Forward) > 0
}

// ForwardReceipts makes the receipts that are missing and sends those that each target of site.yaml does not have yet. It takes two
// minutes at most, and next to nothing where nothing is to be sent. That a target cannot be reached is told in what it
// returns and is no error: a later pass goes on, after a while that grows with each failure.
func (s *Site) ForwardReceipts(ctx context.Context) (f receipt.Forwarded, err error) {
	if !s.Forwards() {
		return receipt.Forwarded{Failed: []string{}}, nil
	}
	if err := own("spec.receipts.ca", s.cfg.Spec.Receipts.CA); err != nil {
		return f, err
	}
	rs, err := s.OpenReceipts(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, rs.Close()) }()
	return rs.Forward(ctx)
}

// Forward is ForwardReceipts for whoever has the receipts open.
func (rs *Receipts) Forward(ctx context.Context) (receipt.Forwarded, error) {
	c := rs.site.cfg.Spec.Receipts
	if c == nil {
		return receipt.Forwarded{Failed: []string{}}, nil
	}
	var targets []receipt.Target
	for _, url := range c.Forward {
		t, err := receipt.OpenTarget(url, c.CA)
		if err != nil {
			return receipt.Forwarded{}, err
		}
		targets = append(targets, t)
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTime)
	defer cancel()
	return rs.spool.Forward(ctx, targets, rs.site.deps.Now().UTC())
}
