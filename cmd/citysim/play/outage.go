package play

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Outage takes hosts away for a while.
type Outage struct {
	// Hosts are addresses without ports; none means all.
	Hosts hostNames `json:"hosts"`
	For   Duration  `json:"for"`
	How   Absence   `json:"how"`
}

// hostNames reads ["127.0.1.1", …] or "all".
type hostNames []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *hostNames) UnmarshalJSON(b []byte) error {
	if string(b) == `"all"` {
		*n = nil
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil || len(list) == 0 {
		return errors.New(`hosts: want ["127.0.1.1"] or "all"`)
	}
	*n = list
	return nil
}

// Interrupt begins an outage, and returns the hosts that it takes away. Hosts
// that are gone already stay as they are.
func (s *Server) Interrupt(o Outage) ([]string, error) {
	switch {
	case o.For <= 0:
		return nil, errors.New("for: how long does it last? Want one such as 60s")
	case o.How != Refuses && o.How != Silence:
		return nil, fmt.Errorf("how: there is no %q (want %s or %s)", string(o.How), Refuses, Silence)
	}
	hosts := s.hosts
	if len(o.Hosts) > 0 {
		hosts = nil
		for _, name := range o.Hosts {
			i := slices.IndexFunc(s.hosts, func(h *host) bool { return h.name == name })
			if i < 0 {
				return nil, fmt.Errorf("there is no host %q", name)
			}
			hosts = append(hosts, s.hosts[i])
		}
	}
	gone := []string{}
	var errs []error
	for _, h := range hosts {
		took, err := h.leave(o.How, time.Duration(o.For))
		if took {
			gone = append(gone, h.name)
		}
		errs = append(errs, err)
	}
	return gone, errors.Join(errs...)
}

// interrupt takes an outage as JSON.
func (s *Server) interrupt(w http.ResponseWriter, r *http.Request) {
	var o Outage
	if !readJSON(w, r, &o, `{"hosts":"all","for":"60s","how":"refuse"}`) {
		return
	}
	gone, err := s.Interrupt(o)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	json.NewEncoder(w).Encode(map[string][]string{"hosts": gone}) //nolint:errcheck // the reader is gone
}

// readJSON reads a small strict JSON body, or answers what is wrong with it.
func readJSON(w http.ResponseWriter, r *http.Request, v any, example string) bool {
	// A page of another site cannot send this type unasked.
	if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); t != "application/json" {
		http.Error(w, "want Content-Type: application/json", http.StatusUnsupportedMediaType)
		return false
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10))
	in.DisallowUnknownFields()
	if err := in.Decode(v); err != nil {
		http.Error(w, "want one such as "+example+": "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}
