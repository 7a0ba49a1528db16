package wall

import (
	"errors"
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

func newMetrics(r prometheus.Registerer, hub *Hub, views *leases) *metrics {
	f := promauto.With(r)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "patrol_wall_clients", Help: "Open live event streams of browsers.",
	}, func() float64 { return float64(hub.Clients()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "patrol_viewers", Help: "People and links that looked at a picture within the last minute.",
	}, func() float64 { return float64(views.lookers()) })
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

// recorder notes which operation answered, and with what status.
type recorder struct {
	http.ResponseWriter
	operation string
	status    int
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

// observe notes one answer; how long a live stream lasts says nothing.
func (m *metrics) observe(r *recorder, took time.Duration) {
	if r.operation == "stream" && r.status < http.StatusBadRequest {
		return
	}
	m.requests.WithLabelValues(r.operation, strconv.Itoa(r.status/100)+"xx").Observe(took.Seconds())
}

func (m *metrics) login(err error) {
	outcome := "failed"
	_, limited := errors.AsType[*TooManyError](err)
	switch {
	case err == nil:
		outcome = "ok"
	case errors.Is(err, ErrPassword):
		outcome = "refused"
	case limited:
		outcome = "limited"
	}
	m.logins.WithLabelValues(outcome).Inc()
}
