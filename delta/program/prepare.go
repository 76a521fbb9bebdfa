package program

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Prepare checks the numbers and looks through the old file's tables. It reads them once, from several goroutines.
func (p *Program) Prepare() error {
	if !p.valid() {
		return ErrInvalid
	}
	p.refs, p.groups, p.lines, p.units, p.sorted = nil, nil, nil, nil, nil
	f, err := p.functionScan()
	if err != nil {
		return err
	}
	var types groupList
	jobs := []func() error{
		p.prepareSpans,
		func() error { return p.scanReferences(f) },
		func() (err error) { types, err = p.scanTypes(); return err },
	}
	if f != nil {
		for i := range f.pieces {
			jobs = append(jobs, func() error { return f.scan(i) })
		}
	}
	if err := parallel(jobs); err != nil {
		return err
	}
	if f == nil {
		p.groups = types.ordered()
		return nil
	}
	return f.join(types)
}

// prepareSpans finds where spans, anchors and moves put what the old file has, and makes the tables of the new one
// that this decides.
func (p *Program) prepareSpans() error {
	p.byOld = widest(p.Spans)
	p.indexSpans()
	p.last, p.shifts = 0, shifts{}
	p.moved = p.exactly(p.Moves)
	p.floor = maxAddress
	for _, l := range p.OldLoads {
		p.floor = min(p.floor, l.Address)
	}
	if len(p.Moves) > 0 {
		p.floor = min(p.floor, p.Moves[0].Old)
	}
	if err := p.makeIndex(); err != nil {
		return err
	}
	return p.makeBuckets()
}

// join puts together what was found in the pieces.
func (s *functionScan) join(types []group) error {
	jobs := []func() error{func() error { s.joinGroups(types); return nil }}
	if s.lines != nil {
		jobs = append(jobs, s.joinLines()...)
	}
	return parallel(jobs)
}

// parallel does jobs, which share nothing that changes, on as many cores as there are. It returns the first job's
// error of those that failed.
func parallel(jobs []func() error) error {
	errs := make([]error, len(jobs))
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(jobs)); i = next.Add(1) - 1 {
			errs[i] = jobs[i]()
		}
	}
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
