package wall

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	requests *prometheus.HistogramVec
	logins   *prometheus.CounterVec
	views    prometheus.Counter
}

func newMetrics(r prometheus.Registerer, hub *Hub) *metrics {
	f := promauto.With(r)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "patrol_wall_clients", Help: "Open live event streams of browsers.",
	}, func() float64 { return float64(hub.Clients()) })
	return &metrics{
		requests: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "patrol_http_request_seconds",
			Help:    "Time to answer a request of the wall, live streams left out, by operation and class of status.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"operation", "status"}),
		logins: f.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_login_attempts_total", Help: "Attempts to log in, by outcome.",
		}, []string{"outcome"}),
		views: f.NewCounter(prometheus.CounterOpts{
			Name: "patrol_pictures_served_total", Help: "Pictures handed out, each covered by an audit row.",
		}),
	}
}

// recorder notes the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (m *metrics) observe(operation string, status int, took time.Duration) {
	if operation == "stream" {
		return
	}
	m.requests.WithLabelValues(operation, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
}
