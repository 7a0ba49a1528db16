package play

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"videopatrol/cmd/citysim/scene"
)

// footage is what the cameras of one scene can show. They share it: what is
// rendered for one of them is there for all, once.
type footage struct {
	scene *scene.Scene
	seed  uint64
	clip  bool // plays a video file instead of the scene

	making sync.Mutex // held while something is rendered
	reel   atomic.Pointer[reel]
}

// reel is what is rendered of a scene; it is replaced whole, never changed.
type reel struct {
	takes  map[scene.Take][]*GOP
	frozen []*GOP
}

// has tells whether everything is there that a kind needs.
func (r *reel) has(k Kind) bool {
	if k == Frozen {
		return r.frozen != nil
	}
	for _, t := range k.takes() {
		if r.takes[t] == nil {
			return false
		}
	}
	return true
}

// prepare renders what a kind needs, unless it is there.
func (f *footage) prepare(ctx context.Context, l *Library, kinds ...Kind) error {
	f.making.Lock()
	defer f.making.Unlock()
	old := f.reel.Load()
	want := []scene.Take{}
	frozen := false
	if old == nil {
		old = &reel{takes: map[scene.Take][]*GOP{}}
		if !f.clip {
			want = append(want, scene.Quiet)
		}
	}
	for _, k := range kinds {
		for _, t := range k.takes() {
			if old.takes[t] == nil && !slices.Contains(want, t) {
				want = append(want, t)
			}
		}
		frozen = frozen || k == Frozen && old.frozen == nil
	}
	fresh := &reel{takes: map[scene.Take][]*GOP{}, frozen: old.frozen}
	maps.Copy(fresh.takes, old.takes)
	if len(want) > 0 {
		made, err := l.Scene(ctx, f.scene.Kind(), f.seed, want...)
		if err != nil {
			return fmt.Errorf("scene %x: %w", f.seed, err)
		}
		maps.Copy(fresh.takes, made)
	}
	if frozen {
		var err error
		if fresh.frozen, err = l.Frozen(ctx, fresh.takes[scene.Quiet][0]); err != nil {
			return fmt.Errorf("scene %x: %w", f.seed, err)
		}
	}
	f.reel.Store(fresh)
	return nil
}
