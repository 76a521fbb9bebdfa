package kube

import (
	"context"
	"errors"
)

// Restored is what Restore could do.
type Restored struct {
	Inventory Inventory // of the objects wanted
	Changes   []Change  // what was done, object by object
	// Left are the objects that are not as wanted, each a Conflict whose Note says why.
	Left []Change
}

// Restore makes the objects be as an earlier release had them. Unlike Apply it is not all or nothing: what can be put back
// is, object by object, and the rest is named. The error is the target's, not an object's. prev is what this site may
// have on the target.
func (c *Cluster) Restore(ctx context.Context, want Objects, prev Inventory) (*Restored, error) {
	p, err := c.newPlan(ctx, want, prev)
	if err != nil {
		return nil, err
	}
	r := &Restored{Inventory: p.inventory()}
	for s := range p.stages {
		if err := c.restoreStage(ctx, p, p.stages[s]); err != nil {
			return r, err
		}
	}
	for _, it := range p.items() {
		if it.change.Action == Conflict {
			r.Left = append(r.Left, it.change)
		} else {
			r.Changes = append(r.Changes, it.change)
		}
	}
	return r, nil
}

func (c *Cluster) restoreStage(ctx context.Context, p *plan, items []*item) error {
	if err := c.askAll(ctx, p, items); err != nil {
		return err
	}
	for _, it := range items {
		if err := c.askAgain(ctx, p, it); err != nil {
			return err
		}
		if it.change.Action == Conflict {
			continue
		}
		err := c.applyOne(ctx, it)
		var refused *RefusedError
		if errors.As(err, &refused) {
			it.change, err = refused.Refused[0], nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
