package delta

import (
	"context"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// worker plans contents that no old has, one at a time. It is not for concurrent use.
type worker struct {
	ctx      context.Context
	c        *catalogue
	src      *source
	plain    io.ReaderAt
	effort   Effort
	bytes    bool // files are nothing but bytes
	listings map[int64]*listing
	index    index // of the content in hand
}

// Bounds of what all workers hold at a time: contents, old and new. Searching them takes about three
// times as much beside.
const (
	heldBytes   = 2 * loadLimit // at least, so that any one content can be planned
	heldPerCore = 64 << 20      // more for each worker
)

// fastStride is which positions EffortFast indexes: building an index takes most of the time of a search.
const fastStride = 4

// job is a content to plan.
type job struct {
	i, match int
	held     int64 // bytes of it and what it is compared with, at most
}

// changedContents plans the contents that no old has, several at a time: large ones first, so that no
// worker is left with one at the end. What comes out does not depend on how many workers there are.
func (p *planner) changedContents(matches []int) error {
	jobs := p.jobs(matches)
	budget := max(heldBytes, heldPerCore*int64(p.workers))
	held := semaphore.NewWeighted(budget)
	results := make([][]piece, len(jobs))
	idle := sync.Pool{New: func() any {
		w := &worker{c: p.c, src: newSource(p.c.src.olds), plain: p.plain, effort: p.effort, bytes: p.plainly, listings: p.listings}
		if p.effort == EffortFast {
			w.index.sparse = fastStride
		}
		return w
	}}
	g, ctx := errgroup.WithContext(p.ctx)
	g.SetLimit(p.workers)
	for n, j := range jobs {
		weight := min(j.held, budget)
		if err := held.Acquire(ctx, weight); err != nil {
			break // a worker has failed, or nobody wants the patch any more
		}
		g.Go(func() (err error) {
			defer held.Release(weight)
			w := idle.Get().(*worker)
			w.ctx = ctx
			results[n], err = w.changed(p.members[j.i], j.match)
			w.index.shrink()
			idle.Put(w)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	p.changed = make(map[int][]piece, len(jobs))
	for n, j := range jobs {
		p.changed[j.i] = results[n]
	}
	return nil
}

func (p *planner) jobs(matches []int) (list []job) {
	for i, m := range p.members {
		if m.size() == 0 || len(p.c.byContent[p.ids[i]]) > 0 {
			continue
		}
		j := job{i: i, match: matches[i], held: min(m.size(), loadLimit)}
		then := similarRoom(j.held)
		if j.match >= 0 {
			then = max(then, p.c.members[j.match].size())
		}
		j.held += min(then, loadLimit)
		list = append(list, j)
	}
	slices.SortStableFunc(list, func(a, b job) int { return int(min(max(b.held-a.held, -1), 1)) })
	return list
}
