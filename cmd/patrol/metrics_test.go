package main_test

import (
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"strings"
)

// checkMetrics reads /metrics as Prometheus does and has promtool check it.
func (r *rig) checkMetrics() {
	r.t.Helper()
	address, _ := r.gateway.ready["metrics"].(string)
	resp, err := http.Get(address + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{
		"patrol_build_info", "patrol_cameras", "patrol_received_bytes_total", "patrol_visits_total", "patrol_samples_total",
		"patrol_samples_superseded_total", "patrol_decode_seconds", "patrol_detect_seconds", "patrol_sample_latency_seconds",
		"patrol_sample_age_seconds", "patrol_overdue_cameras", "patrol_blind_cameras", "patrol_findings_total", "patrol_leads_total", "patrol_leads_open",
		"patrol_lead_stage_seconds", "patrol_outbox_pending", "patrol_deliveries_total", "patrol_delivery_failures_total",
		"patrol_dials_in_flight", "patrol_sessions_open", "patrol_media_memory_bytes", "patrol_worker_restarts_total", "patrol_wall_clients",
		"patrol_audit_rows_total", "patrol_audit_unsealed_rows", "patrol_audit_checkpoints_total",
		"patrol_canary_last_success_timestamp_seconds", "patrol_coverage_seconds_total",
	} {
		if !bytes.Contains(text, []byte("# TYPE "+name+" ")) {
			r.t.Errorf("/metrics has no %s", name)
		}
	}
	if bytes.Contains(text, []byte("patrol_canary_last_success_timestamp_seconds 0\n")) {
		r.t.Error("the canary has not reached its desk")
	}
	if lines := bytes.Count(text, []byte("\n")); lines > 5000 {
		r.t.Errorf("/metrics has %d lines", lines)
	}
	for _, l := range r.allCameras() {
		if bytes.Contains(text, []byte(l.ID)) {
			r.t.Errorf("/metrics names camera %s", l.ID)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		r.t.Log("promtool is not installed; deploy/setup.sh installs it")
		return
	}
	cmd := exec.CommandContext(r.t.Context(), promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "patrol_") {
		r.t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
