package wall_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"videopatrol/wall"
)

// wantActions is what each operation must ask for, written down a second time
// on purpose: a new route, or a changed one, is decided here as well.
var wantActions = map[string]wall.Action{
	"login":            wall.ActionNone,
	"logout":           wall.ActionSelf,
	"me":               wall.ActionSelf,
	"change-password":  wall.ActionSelf,
	"list-tokens":      wall.ActionSelf,
	"issue-token":      wall.ActionSelf,
	"revoke-token":     wall.ActionSelf,
	"list-leads":       wall.ActionRead,
	"get-lead":         wall.ActionRead,
	"transition-lead":  wall.ActionTransition,
	"list-cameras":     wall.ActionRead,
	"get-camera":       wall.ActionRead,
	"get-still":        wall.ActionView,
	"explain-camera":   wall.ActionRead,
	"get-evidence":     wall.ActionView,
	"get-grid":         wall.ActionRead,
	"get-stats":        wall.ActionRead,
	"list-audit":       wall.ActionAudit,
	"read-audit-chain": wall.ActionAudit,
	"get-audit-key":    wall.ActionRead,
	"import-inventory": wall.ActionInventory,
	"export-inventory": wall.ActionInventory,
	"list-revisions":   wall.ActionInventory,
	"undo-revision":    wall.ActionInventory,
	"list-users":       wall.ActionUsers,
	"create-user":      wall.ActionUsers,
	"disable-user":     wall.ActionUsers,
	"stream":           wall.ActionRead,
	"get-coverage":     wall.ActionRead,
	"list-maintenance": wall.ActionRead,
	"plan-maintenance": wall.ActionInventory,
	"end-maintenance":  wall.ActionInventory,

	"claim-lead":        wall.ActionTransition,
	"list-orders":       wall.ActionOrders,
	"send-orders":       wall.ActionTransition,
	"transition-order":  wall.ActionAnswer,
	"answer-transfer":   wall.ActionTransition,
	"get-queue":         wall.ActionRead,
	"get-routes":        wall.ActionRead,
	"list-handovers":    wall.ActionRead,
	"offer-handover":    wall.ActionTransition,
	"sign-handover":     wall.ActionTransition,
	"list-shelves":      wall.ActionRead,
	"shelve":            wall.ActionTransition,
	"end-shelf":         wall.ActionTransition,
	"list-suppressions": wall.ActionRead,
	"get-statistics":    wall.ActionRead,

	"get-linked-evidence": wall.ActionLink,
}

// wantRoles is who may do what (P13: who administers does not look). A
// department has its own orders, and no route besides.
var wantRoles = map[wall.Action][]wall.Role{
	wall.ActionNone:       wall.Roles(),
	wall.ActionSelf:       wall.Roles(),
	wall.ActionRead:       {wall.RoleOfficer, wall.RoleDispatcher, wall.RoleAdmin, wall.RoleAuditor, wall.RoleSRE},
	wall.ActionOrders:     wall.Roles(),
	wall.ActionAnswer:     {wall.RoleOfficer, wall.RoleDispatcher, wall.RoleDepartment},
	wall.ActionView:       {wall.RoleOfficer, wall.RoleDispatcher},
	wall.ActionTransition: {wall.RoleOfficer, wall.RoleDispatcher},
	wall.ActionInventory:  {wall.RoleAdmin},
	wall.ActionUsers:      {wall.RoleAdmin},
	wall.ActionAudit:      {wall.RoleAuditor},
}

// TestMatrix asks every route of the API as every role and as nobody.
func TestMatrix(t *testing.T) {
	w := newWorld(t)
	var api struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	description, err := w.server.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(description, &api); err != nil {
		t.Fatal(err)
	}
	clients := map[wall.Role]*browser{"": w.anyone()}
	for _, r := range wall.Roles() {
		clients[r] = w.as(r)
	}
	asked := 0
	for path, methods := range api.Paths {
		url := strings.NewReplacer("{id}", "9", "{lead}", "9", "{picture}", proofID+".jpg", "{name}", "nobody", "{order}", "9", "{key}", "9").Replace(path)
		for method, o := range methods {
			action, ok := wantActions[o.OperationID]
			if !ok {
				t.Errorf("%s %s (%s) has no entry in the table", method, path, o.OperationID)
				continue
			}
			asked++
			for role, c := range clients {
				status := c.status(strings.ToUpper(method), url)
				want := "any"
				switch {
				case action == wall.ActionNone, action == wall.ActionLink:
				case role == "":
					want = "401"
				case !slices.Contains(wantRoles[action], role):
					want = "403"
				}
				got := "any"
				if action != wall.ActionNone && action != wall.ActionLink &&
					(status == http.StatusUnauthorized || status == http.StatusForbidden) {
					got = strconv.Itoa(status)
				}
				if got != want {
					t.Errorf("%s %s as %q: status %d, want %s", method, path, role, status, want)
				}
			}
		}
	}
	if asked != len(wantActions) {
		t.Errorf("asked %d operations, the table has %d", asked, len(wantActions))
	}
}

// status asks without waiting for the end of the answer, which for the
// stream never comes.
func (b *browser) status(method, path string) int {
	ctx, cancel := context.WithTimeout(b.w.t.Context(), 10*time.Second)
	defer cancel()
	var in any
	if method == http.MethodPost {
		in = "{}"
	}
	res, err := b.w.http.Client().Do(b.request(ctx, method, path, in))
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestMayNamesNoLinkAndNoNone(t *testing.T) {
	for _, r := range append(wall.Roles(), "", "root") {
		if r.May(wall.ActionLink) || r.May(wall.ActionNone) {
			t.Errorf("role %q has an action that no role may have", r)
		}
	}
}

func TestOnlyKnownRolesMayAnything(t *testing.T) {
	for _, r := range []wall.Role{"", "root", "Admin"} {
		for _, a := range wall.Actions() {
			if r.May(a) {
				t.Errorf("role %q may %s", r, a)
			}
		}
	}
}
