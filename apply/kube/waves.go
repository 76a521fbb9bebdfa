package kube

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// argoWaveAnnotation is what Argo CD has for WaveAnnotation.
const argoWaveAnnotation = "argocd.argoproj.io/sync-wave"

// waveTime is how long the objects of a wave have to become healthy, if none says so with TimeoutAnnotation.
const waveTime = 5 * time.Minute

// waveOf is the wave in which an object is applied: 0 unless it says so.
func waveOf(u *unstructured.Unstructured) (int, error) {
	for _, annotation := range []string{WaveAnnotation, argoWaveAnnotation} {
		text, ok := u.GetAnnotations()[annotation]
		if !ok {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, &ManifestError{fmt.Errorf("%s: the annotation %s is %q, not a whole number", idOf(u), annotation, text)}
		}
		return n, nil
	}
	return 0, nil
}

// wave is what is applied together. Kinds and namespaces are in none: they come before.
type wave struct {
	number int
	stages [stages][]*item
}

// waves cuts what comes after the definitions into waves, in their order.
func (p *plan) waves() []wave {
	byNumber := map[int]*wave{}
	var numbers []int
	for s := stageBasics; s < stages; s++ {
		for _, it := range p.stages[s] {
			w := byNumber[it.wave]
			if w == nil {
				w = &wave{number: it.wave}
				byNumber[it.wave] = w
				numbers = append(numbers, it.wave)
			}
			w.stages[s] = append(w.stages[s], it)
		}
	}
	slices.Sort(numbers)
	out := make([]wave, len(numbers))
	for i, n := range numbers {
		out[i] = *byNumber[n]
	}
	return out
}

// applyWaves applies wave after wave; all but the last have to be healthy before the next begins.
func (c *Cluster) applyWaves(ctx context.Context, p *plan) error {
	waves := p.waves()
	for i, w := range waves {
		for _, items := range w.stages {
			if err := c.applyStage(ctx, p, items); err != nil {
				return err
			}
		}
		if i == len(waves)-1 {
			return nil
		}
		if err := c.waveHealthy(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// waveHealthy waits until every object of the wave is as it should be.
func (c *Cluster) waveHealthy(ctx context.Context, w wave) error {
	if err := c.learnPods(ctx); err != nil {
		return c.failed("tell what it knows of pods", err)
	}
	items := slices.Concat(w.stages[:]...)
	limit := time.Duration(0)
	for _, it := range items {
		limit = max(limit, timeout(it.want, 0))
	}
	if limit == 0 {
		limit = waveTime
	}
	end := time.Now().Add(limit)
	for {
		statuses := make([]ObjectStatus, len(items))
		var known subresources
		for i, it := range items {
			var err error
			if statuses[i], err = c.health(ctx, it.want, &known); err != nil {
				return err
			}
		}
		err := CheckHealth(statuses)
		failed := slices.ContainsFunc(statuses, func(s ObjectStatus) bool { return s.Final })
		if err == nil || failed || time.Now().After(end) {
			return inWave(w.number, limit, err)
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// inWave adds to what is wrong with the objects of a wave that no later one was begun.
func inWave(number int, limit time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("wave %d has not become healthy within %s, and what comes after it was not begun: %w", number, limit, err)
}
