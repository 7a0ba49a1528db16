package wall

import "slices"

// Role is what a user is. A user has one.
type Role string

// The roles. Who administers does not look, who looks does not administer.
const (
	RoleOfficer    Role = "officer"    // 值班员: looks, judges, dispatches
	RoleDispatcher Role = "dispatcher" // 派单员: the same desk, for orders
	RoleAdmin      Role = "admin"      // 管理员: users and inventory, no pictures
	RoleAuditor    Role = "auditor"    // 监督员: reads the audit, no pictures
	RoleSRE        Role = "sre"        // 运维: states and figures, no pictures
	RoleDepartment Role = "department" // 处置部门: the orders of one department, nothing else
)

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleOfficer, RoleDispatcher, RoleAdmin, RoleAuditor, RoleSRE, RoleDepartment}
}

// Action is what a route lets a person do.
type Action string

// The actions.
const (
	// ActionNone needs no login: logging in itself, and the page's files.
	ActionNone Action = "none"
	// ActionSelf is one's own session, password and tokens.
	ActionSelf Action = "self"
	// ActionRead shows leads, cameras and figures, without pictures.
	ActionRead Action = "read"
	// ActionView shows pictures.
	ActionView Action = "view"
	// ActionLink shows one picture to who holds a signed link, instead of a
	// login: so the receiver of a lead sees its pictures. No role has it.
	ActionLink Action = "link"
	// ActionTransition moves leads.
	ActionTransition Action = "transition"
	// ActionOrders shows orders with what they are about, without pictures: to
	// who belongs to a department its own alone.
	ActionOrders Action = "orders"
	// ActionAnswer says what a department says of its order.
	ActionAnswer Action = "answer"
	// ActionInventory changes and exports the inventory.
	ActionInventory Action = "inventory"
	// ActionUsers manages users.
	ActionUsers Action = "users"
	// ActionAudit reads the audit.
	ActionAudit Action = "audit"
)

// Actions lists every action that a role may have.
func Actions() []Action {
	return []Action{ActionSelf, ActionRead, ActionView, ActionTransition, ActionOrders, ActionAnswer, ActionInventory, ActionUsers, ActionAudit}
}

// table says which role may do which action. It is the only place that does.
var table = map[Role][]Action{
	RoleOfficer:    {ActionSelf, ActionRead, ActionView, ActionTransition, ActionOrders, ActionAnswer},
	RoleDispatcher: {ActionSelf, ActionRead, ActionView, ActionTransition, ActionOrders, ActionAnswer},
	RoleAdmin:      {ActionSelf, ActionRead, ActionOrders, ActionInventory, ActionUsers},
	RoleAuditor:    {ActionSelf, ActionRead, ActionOrders, ActionAudit},
	RoleSRE:        {ActionSelf, ActionRead, ActionOrders},
	RoleDepartment: {ActionSelf, ActionOrders, ActionAnswer},
}

// May tells whether a role may do an action.
func (r Role) May(a Action) bool { return slices.Contains(table[r], a) }

// Valid tells whether there is such a role.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }
