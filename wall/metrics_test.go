package wall_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"videopatrol/wall"
)

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	r := prometheus.NewPedanticRegistry()
	o.Registerer = r
	s, err := wall.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.http.Config.Handler = s.Handler()
	b := w.officer()
	w.anyone().do("POST", "/api/v1/login", loginBody("officer", "wrong"))
	if res := b.get(stillPath); res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode)
	}
	b.get("/api/v1/leads/none")
	b.get("/wp-login.php")
	b.get("/api/v1/random/" + camera1)
	b.listen("").want("reset")

	problems, err := testutil.GatherAndLint(r)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	var stable strings.Builder // without times
	for line := range strings.Lines(text.String()) {
		if !strings.Contains(line, "_bucket{") && !strings.Contains(line, "_sum{") {
			stable.WriteString(line)
		}
	}
	golden(t, "testdata/metrics.txt", []byte(stable.String()))
}
