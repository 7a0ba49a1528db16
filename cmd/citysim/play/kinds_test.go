package play_test

import (
	"log/slog"
	"os/exec"
	"testing"
	"time"

	"videopatrol/cmd/citysim/play"
	"videopatrol/cmd/citysim/scene"
)

// The cameras of the other kinds of scenes play what happens there, and the
// ledger has it.
func TestOtherKindsPlay(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed; deploy/setup.sh installs it")
	}
	library, err := play.NewLibrary(t.TempDir(), 2)
	if err != nil {
		t.Fatal(err)
	}
	ledger := play.NewLedger(nil)
	start := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	o := play.Options{
		Seed: 3, Cameras: 2, Listen: "127.0.0.1:8554", Username: "u", Password: "p", Ledger: ledger, Library: library,
		Logger: slog.New(slog.DiscardHandler), Kinds: []scene.Kind{scene.CarPark, scene.Yard},
		Rows: []play.Row{{Camera: "0", Kind: play.IllegalParking, After: play.Duration(10 * time.Second), For: play.Duration(30 * time.Second)}},
	}
	server, err := play.New(o)
	if err != nil {
		t.Fatal(err)
	}
	film, err := server.Project(t.Context(), 0, start)
	if err != nil {
		t.Fatal(err)
	}
	for film.Next().At.Before(start.Add(90 * time.Second)) {
	}
	all := ledger.Entries()
	if len(all) != 1 || all[0].Kind != play.IllegalParking || all[0].Zone != "np1" || all[0].End.IsZero() {
		t.Fatalf("the ledger has %+v", all)
	}
	if lasts := all[0].End.Sub(all[0].Begin); lasts < 25*time.Second || lasts > 40*time.Second {
		t.Errorf("it lasts %v, want about 30s", lasts)
	}
	o.Rows[0].Kind = play.Fire
	if _, err := play.New(o); err == nil {
		t.Error("a car park may burn")
	}
}
