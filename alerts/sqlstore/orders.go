package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"videopatrol/alerts"
	"videopatrol/inventory/sqldb"
)

func (t tx) SaveOrder(ctx context.Context, lead string, o alerts.Order) error {
	return t.exec(ctx, `
		INSERT INTO lead_orders (lead, id, department, state, sent_at, changed_at, part, round, reason, feedback)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (lead, id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at,
			reason = excluded.reason, feedback = excluded.feedback`,
		lead, o.ID, o.Department, string(o.State), sqldb.Micros(o.SentAt), sqldb.Micros(o.Changed),
		string(o.Part), o.Round, o.Reason, o.Feedback)
}

const orderColumns = `o.lead, o.id, o.department, o.state, o.sent_at, o.changed_at, o.part, o.round, o.reason, o.feedback`

func scanOrder(r *sql.Rows) (lead string, o alerts.Order, err error) {
	var sent, changed int64
	err = r.Scan(&lead, &o.ID, &o.Department, &o.State, &sent, &changed, &o.Part, &o.Round, &o.Reason, &o.Feedback)
	o.SentAt, o.Changed = sqldb.Time(sent), sqldb.Time(changed)
	return lead, o, err
}

func ordersQuery(leads int) string {
	return `SELECT ` + orderColumns + ` FROM lead_orders o WHERE o.lead IN (` + list(1, leads) + `) ORDER BY o.lead, o.sent_at, o.id`
}

// addOrders completes leads, by id, with their orders.
func (t tx) addOrders(ctx context.Context, at map[string]*alerts.Lead, ids []any) error {
	_, err := sqldb.All(ctx, t.Tx, func(r *sql.Rows) (struct{}, error) {
		lead, o, err := scanOrder(r)
		if err == nil {
			at[lead].Orders = append(at[lead].Orders, o)
		}
		return struct{}{}, err
	}, ordersQuery(len(ids)), ids...)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	return nil
}

// Orders returns a page of orders, newest first, canary leads left out.
func (s *Store) Orders(ctx context.Context, q alerts.OrderQuery) (alerts.OrderPage, error) {
	var b strings.Builder
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	b.WriteString(`SELECT ` + orderColumns + ` FROM lead_orders o JOIN leads l ON l.id = o.lead WHERE l.canary = 0`)
	if q.Department != "" {
		b.WriteString(` AND o.department = ` + arg(q.Department))
	}
	if len(q.States) > 0 {
		first := len(args) + 1
		for _, s := range q.States {
			args = append(args, string(s))
		}
		b.WriteString(` AND o.state IN (` + list(first, len(q.States)) + `)`)
	}
	if q.Cursor != "" {
		sent, id, err := parseCursor(q.Cursor)
		if err != nil {
			return alerts.OrderPage{}, err
		}
		b.WriteString(` AND (o.sent_at, o.id) < (` + arg(sent) + `, ` + arg(id) + `)`)
	}
	b.WriteString(` ORDER BY o.sent_at DESC, o.id DESC LIMIT ` + arg(q.Limit+1))
	return read(ctx, s, func(t tx) (alerts.OrderPage, error) {
		all, err := sqldb.All(ctx, t.Tx, func(r *sql.Rows) (alerts.LeadOrder, error) {
			lead, o, err := scanOrder(r)
			return alerts.LeadOrder{Order: o, Lead: alerts.Lead{ID: lead}}, err
		}, b.String(), args...)
		if err != nil {
			return alerts.OrderPage{}, fmt.Errorf("read orders: %w", err)
		}
		page := alerts.OrderPage{Orders: all}
		if len(all) > q.Limit {
			page.Orders = all[:q.Limit]
			last := page.Orders[q.Limit-1]
			page.Next = strconv.FormatInt(sqldb.Micros(last.Order.SentAt), 10) + "." + last.Order.ID
		}
		return page, t.addLeads(ctx, page.Orders)
	})
}

// addLeads completes orders with their leads.
func (t tx) addLeads(ctx context.Context, orders []alerts.LeadOrder) error {
	if len(orders) == 0 {
		return nil
	}
	ids := make([]any, len(orders))
	for i, o := range orders {
		ids[i] = o.Lead.ID
	}
	leads, err := t.leads(ctx, leadColumns+` WHERE l.id IN (`+list(1, len(ids))+`)`, ids...)
	if err != nil {
		return err
	}
	byID := make(map[string]alerts.Lead, len(leads))
	for _, l := range leads {
		byID[l.ID] = l
	}
	for i, o := range orders {
		orders[i].Lead = byID[o.Lead.ID]
	}
	return nil
}
